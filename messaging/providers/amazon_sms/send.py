"""Sending SMS by Amazon.

"AWS End User Messaging SMS", API reference v2, "SendTextMessage"; user and password are an access key, and the
configuration set says to which SNS topic events go. TimeToLive: 5 seconds to 72 hours.
"""

from json import dumps
from typing import Any
from urllib.parse import urlsplit

from messaging.providers.amazon_sms.sigv4 import signed
from messaging.providers.amazon_sms.webhook import OUR_CONTEXT
from messaging.providers.gateway import Gateway, GatewayRequest, Sms, one_id, text_at
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import tables


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    body = dumps({
        "DestinationPhoneNumber": sms.number, "OriginationIdentity": sms.sender, "MessageBody": sms.text,
        "MessageType": "PROMOTIONAL" if sms.is_promotional else "TRANSACTIONAL",
        "ConfigurationSetName": route.options["set"], "Context": {OUR_CONTEXT: sms.token},
        "TimeToLive": max(5, sms.seconds),
    }).encode()  # fmt: skip
    headers = {
        "Content-Type": "application/x-amz-json-1.0", "Host": urlsplit(route.base).netloc,
        "X-Amz-Target": "PinpointSMSVoiceV2.SendTextMessage",
    }  # fmt: skip
    made = signed(headers, body, (route.user, route.password), (route.options["region"], "sms-voice"), sms.at)
    return GatewayRequest("/", body, made)


def _parse_error(answer: Any) -> tuple[str, str]:
    """The reason, where the exception has one; the exception's name may come with a namespace before it."""
    name = text_at(answer, "__type").rpartition("#")[2]
    return text_at(answer, "Reason") or name, text_at(answer, "Message") or text_at(answer, "message")


gateway = Gateway(
    "amazon_sms", lambda route: f"https://sms-voice.{route.options['region']}.amazonaws.com", _request,
    one_id("MessageId"), _parse_error, tables("amazon_sms")["refusals"],
)  # fmt: skip
