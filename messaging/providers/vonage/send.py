"""Sending SMS by Vonage.

Vonage documentation, "SMS API", "Send an SMS".
"""

from typing import Any, Final

from messaging.providers.gateway import (
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
    text_at,
)
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import CodeMeaning
from messaging.smpp.alphabet import UCS_2, alphabet_of
from messaging.status.order import Kind


# ttl in milliseconds, from 20,000.
def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender.lstrip("+"), "to": sms.digits, "text": sms.text, "client-ref": sms.token,
        "type": "unicode" if alphabet_of(sms.text) == UCS_2 else "text", "callback": sms.callback,
        "status-report-req": "true", "ttl": max(20_000, sms.seconds * 1000),
    }  # fmt: skip
    return form("/sms/json", fields, basic(route))


def _parse_answer(answer: Any) -> GatewayAnswer:
    """Refusals, too, come with 200, for each part by itself."""
    found = at(answer, "messages")
    parts = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    ids = tuple(text_at(each, "message-id") for each in parts if text_at(each, "status") == "0")
    bad = next((each for each in parts if text_at(each, "status") != "0"), None)
    if bad is None:
        return GatewayAnswer(ids)
    return GatewayAnswer(ids, text_at(bad, "status"), text_at(bad, "error-text"), is_refused=True)


STATUSES: Final = {
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

gateway = Gateway(
    "vonage", "https://rest.nexmo.com", _request, _parse_answer, error_at(["type"], ["detail"]), STATUSES,
    is_about_parts=True,
)  # fmt: skip
