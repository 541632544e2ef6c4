"""SMS gateways with an HTTP API: what each is asked, where its answer has the ids, and what a refusal means. Pure.

One description for each, from its own documentation; by_gateway.py does the asking. A refusal is classified by the same
tables as its reports, and what no table knows is Failed, never a Hard bounce.
"""

import re
from json import dumps
from typing import Any, Final
from urllib.parse import quote, urlsplit

from messaging.providers.amazon_sms import webhook as amazon_sms
from messaging.providers.amazon_sms.sigv4 import signed
from messaging.providers.bird import webhook as bird
from messaging.providers.gateway import (
    JSON,
    NOT_NOW,
    TOO_FAST,
    Gateway,
    GatewayAnswer,
    GatewayRequest,
    Sms,
    at,
    basic,
    error_at,
    form,
    json_body,
    one_id,
    text_at,
)
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import CodeMeaning, tables
from messaging.smpp.alphabet import UCS_2, alphabet_of
from messaging.status.order import Kind


# Twilio: "Messages resource". ValidityPeriod is at most ten hours (error 90007): Twilio gives up after that.
def _ask_twilio(sms: Sms, route: HttpRoute) -> GatewayRequest:
    is_service = sms.sender.startswith("MG")
    fields = {
        "To": sms.number, "MessagingServiceSid" if is_service else "From": sms.sender, "Body": sms.text,
        "StatusCallback": sms.callback, "ValidityPeriod": max(1, min(36_000, sms.seconds)),
    }  # fmt: skip
    return form(f"/2010-04-01/Accounts/{quote(route.user)}/Messages.json", fields, basic(route))


# Vonage: "SMS API", "Send an SMS"; ttl in milliseconds, from 20,000.
def _ask_vonage(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender.lstrip("+"), "to": sms.digits, "text": sms.text, "client-ref": sms.token,
        "type": "unicode" if alphabet_of(sms.text) == UCS_2 else "text", "callback": sms.callback,
        "status-report-req": "true", "ttl": max(20_000, sms.seconds * 1000),
    }  # fmt: skip
    return form("/sms/json", fields, basic(route))


def _read_vonage(answer: Any) -> GatewayAnswer:
    """Refusals, too, come with 200, for each part by itself."""
    found = at(answer, "messages")
    parts = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    ids = tuple(text_at(each, "message-id") for each in parts if text_at(each, "status") == "0")
    bad = next((each for each in parts if text_at(each, "status") != "0"), None)
    if bad is None:
        return GatewayAnswer(ids)
    return GatewayAnswer(ids, text_at(bad, "status"), text_at(bad, "error-text"), is_refused=True)


VONAGE_STATUSES: Final = {
    "1": TOO_FAST,  # throttled
    "4": NOT_NOW,  # invalid credentials
    "5": NOT_NOW,  # internal error
    "7": CodeMeaning(Kind.FAILED, "recipient_refuses"),  # number barred
    "8": NOT_NOW,  # account barred
    "9": NOT_NOW,  # no credit
    "10": TOO_FAST,  # too many connections
    "15": CodeMeaning(Kind.FAILED, "sender_rejected"),
    "22": CodeMeaning(Kind.FAILED, "sender_rejected"),
}


# 46elks: "Send SMS". It has no validity period.
def _ask_elks(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {"from": sms.sender, "to": sms.number, "message": sms.text, "whendelivered": sms.callback}
    return form("/a1/sms", fields, basic(route))


# Infobip: "Send SMS messages", version 3; an API key is the password, the user is not used.
def _ask_infobip(sms: Sms, route: HttpRoute) -> GatewayRequest:
    message = {
        "sender": sms.sender.lstrip("+"),
        "destinations": [{"to": sms.digits}],
        "content": {"text": sms.text},
        "options": {"validityPeriod": {"amount": max(1, sms.seconds // 60), "timeUnit": "MINUTES"}},
        "webhooks": {"delivery": {"url": sms.callback}, "contentType": JSON, "callbackData": sms.token},
    }
    return json_body(
        "/sms/3/messages", {"messages": [message]}, {"Authorization": f"App {route.password}", "Accept": JSON}
    )


def _read_infobip(answer: Any) -> GatewayAnswer:
    message, group = text_at(answer, "messages", 0, "messageId"), text_at(answer, "messages", 0, "status", "groupName")
    if group == "REJECTED":
        status = at(answer, "messages", 0, "status")
        return GatewayAnswer(
            (message,) if message else (), text_at(status, "id"), text_at(status, "description"), is_refused=True
        )
    return GatewayAnswer((message,) if message else ())


# Sinch: "SMS", "Batches", "Send"; the user is the service plan.
def _ask_sinch(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender, "to": [sms.digits], "body": sms.text, "delivery_report": "per_recipient",
        "expire_at": sms.until, "callback_url": sms.callback, "client_reference": sms.token,
    }  # fmt: skip
    return json_body(f"/xms/v1/{quote(route.user)}/batches", fields, {"Authorization": f"Bearer {route.password}"})


# Telnyx: "Send a message"; a sender that is a name belongs to a messaging profile, which is the user.
def _ask_telnyx(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender, "to": sms.number, "text": sms.text, "webhook_url": sms.callback, "tags": [sms.token],
        "messaging_profile_id": route.user,
    }  # fmt: skip
    return json_body("/v2/messages", fields, {"Authorization": f"Bearer {route.password}"})


# Plivo: "Send a message". It has no validity period that goes as far.
def _ask_plivo(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "src": sms.sender.lstrip("+"), "dst": sms.digits, "text": sms.text, "url": sms.callback, "method": "POST"
    }  # fmt: skip
    return json_body(f"/v1/Account/{quote(route.user)}/Message/", fields, basic(route))


# Bird API: bird.com/docs, "Send a message", and Bird's own SDK (messagebird-sdk). The key names its region, and reports
# come to the webhook that is subscribed. validity_period is a preview: whoever is not part of it is refused.
_BIRDS_REGION: Final = re.compile(r"b[km]_([a-z]{2}[0-9]+)_")


def _birds_base(route: HttpRoute) -> str:
    found = _BIRDS_REGION.match(route.password)
    return f"https://{found[1] if found else 'eu1'}.platform.bird.com"


def _ask_bird(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender, "to": sms.number, "text": sms.text, "metadata": {bird.OUR_METADATA: sms.token},
        "category": "marketing" if sms.is_promotional else "transactional",
    }  # fmt: skip
    return json_body("/v1/sms/messages", fields, {"Authorization": f"Bearer {route.password}"})


# Bird's older REST API: developers.messagebird.com, "SMS API". It reports on what has a reference, and nothing else.
def _ask_messagebird(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "originator": sms.sender.lstrip("+"), "recipients": [sms.digits], "body": sms.text, "datacoding": "auto",
        "reference": sms.token, "reportUrl": sms.callback, "validity": max(1, sms.seconds),
    }  # fmt: skip
    return json_body("/messages", fields, {"Authorization": f"AccessKey {route.password}", "Accept": JSON})


# LINK Mobility: "SMS REST API: MT and Delivery Reports", "Sending MT messages". Reports come to the gate.
def _ask_link_mobility(sms: Sms, route: HttpRoute) -> GatewayRequest:
    kind = "MSISDN" if sms.sender.startswith("+") else "SHORTNUMBER" if sms.sender.isdigit() else "ALPHANUMERIC"
    fields = {
        "source": sms.sender, "sourceTON": kind, "destination": sms.number, "userData": sms.text,
        "platformId": route.options["platform"], "platformPartnerId": route.options["partner"], "refId": sms.token,
        "useDeliveryReport": True, "deliveryReportGates": [route.options["gate"]],
        "relativeValidityTime": sms.seconds * 1000, "ignoreResponse": False,
    }  # fmt: skip
    return json_body("/sms/send", fields, basic(route))


LINKS_CODES: Final = tables("link_mobility")["codes"] | tables("link_mobility")["refusals"]


def _read_link_mobility(answer: Any) -> GatewayAnswer:
    """1005 "Queued", as a rule; a code with which an SMS has ended is a refusal."""
    message, code = text_at(answer, "messageId"), text_at(answer, "resultCode")
    ended = LINKS_CODES.get(code, CodeMeaning(Kind.ACCEPTED)).reason
    return GatewayAnswer((message,) if message else (), code, text_at(answer, "description"), is_refused=bool(ended))


def _links_error(answer: Any) -> tuple[str, str]:
    """The document does not name the fields of its ErrorResponse: those of a SendResponse, or "status"."""
    code = text_at(answer, "resultCode") or text_at(answer, "status")
    return code, text_at(answer, "description") or text_at(answer, "message")


# Amazon: "AWS End User Messaging SMS", API reference v2, "SendTextMessage"; user and password are an access key, and
# the configuration set says to which SNS topic events go. TimeToLive: 5 seconds to 72 hours.
def _ask_amazon_sms(sms: Sms, route: HttpRoute) -> GatewayRequest:
    body = dumps({
        "DestinationPhoneNumber": sms.number, "OriginationIdentity": sms.sender, "MessageBody": sms.text,
        "MessageType": "PROMOTIONAL" if sms.is_promotional else "TRANSACTIONAL",
        "ConfigurationSetName": route.options["set"], "Context": {amazon_sms.OUR_CONTEXT: sms.token},
        "TimeToLive": max(5, sms.seconds),
    }).encode()  # fmt: skip
    headers = {
        "Content-Type": "application/x-amz-json-1.0", "Host": urlsplit(route.base).netloc,
        "X-Amz-Target": "PinpointSMSVoiceV2.SendTextMessage",
    }  # fmt: skip
    made = signed(headers, body, (route.user, route.password), (route.options["region"], "sms-voice"), sms.at)
    return GatewayRequest("/", body, made)


def _amazons_error(answer: Any) -> tuple[str, str]:
    """The reason, where the exception has one; the exception's name may come with a namespace before it."""
    name = text_at(answer, "__type").rpartition("#")[2]
    return text_at(answer, "Reason") or name, text_at(answer, "Message") or text_at(answer, "message")


GATEWAYS: Final = {
    each.slug: each
    for each in (
        Gateway(
            "twilio", "https://api.twilio.com", _ask_twilio, one_id("sid"), error_at(["code"], ["message"]),
            {**tables("twilio")["codes"], "20003": NOT_NOW, "20429": TOO_FAST},
        ),
        Gateway(
            "vonage", "https://rest.nexmo.com", _ask_vonage, _read_vonage, error_at(["type"], ["detail"]),
            VONAGE_STATUSES, is_about_parts=True,
        ),
        Gateway("elks", "https://api.46elks.com", _ask_elks, one_id("id"), lambda answer: ("", text_at(answer))),
        Gateway(
            "infobip", "https://api.infobip.com", _ask_infobip, _read_infobip,
            error_at(["requestError", "serviceException", "messageId"], ["requestError", "serviceException", "text"]),
            tables("infobip")["statuses"],
        ),
        Gateway("sinch", "https://eu.sms.api.sinch.com", _ask_sinch, one_id("id"), error_at(["code"], ["text"])),
        Gateway(
            "telnyx", "https://api.telnyx.com", _ask_telnyx, one_id("data", "id"),
            error_at(["errors", 0, "code"], ["errors", 0, "detail"]), tables("telnyx")["codes"],
        ),
        Gateway(
            "plivo", "https://api.plivo.com", _ask_plivo, one_id("message_uuid", 0), error_at(["error_code"], ["error"])
        ),
        Gateway(
            "bird", _birds_base, _ask_bird, one_id("id"), error_at(["error", "name"], ["error", "message"]),
            tables("bird")["refusals"],
        ),
        Gateway(
            "messagebird", "https://rest.messagebird.com", _ask_messagebird, one_id("id"),
            error_at(["errors", 0, "code"], ["errors", 0, "description"]), tables("messagebird")["refusals"],
        ),
        Gateway(
            "link_mobility", "https://n-eu.linkmobility.io", _ask_link_mobility, _read_link_mobility, _links_error,
            LINKS_CODES,
        ),
        Gateway(
            "amazon_sms", lambda route: f"https://sms-voice.{route.options['region']}.amazonaws.com", _ask_amazon_sms,
            one_id("MessageId"), _amazons_error, tables("amazon_sms")["refusals"],
        ),
    )
}  # fmt: skip
