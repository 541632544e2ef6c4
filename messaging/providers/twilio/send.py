"""Sending SMS by Twilio.

Twilio documentation, "Messages resource".
"""

from urllib.parse import quote

from messaging.providers.gateway import (
    NOT_NOW,
    TOO_FAST,
    Gateway,
    GatewayRequest,
    Sms,
    basic,
    error_at,
    form,
    one_id,
)
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import tables


# ValidityPeriod is at most ten hours (error 90007): Twilio gives up after that.
def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    is_service = sms.sender.startswith("MG")
    fields = {
        "To": sms.number, "MessagingServiceSid" if is_service else "From": sms.sender, "Body": sms.text,
        "StatusCallback": sms.callback, "ValidityPeriod": max(1, min(36_000, sms.seconds)),
    }  # fmt: skip
    return form(f"/2010-04-01/Accounts/{quote(route.user)}/Messages.json", fields, basic(route))


gateway = Gateway(
    "twilio", "https://api.twilio.com", _request, one_id("sid"), error_at(["code"], ["message"]),
    {**tables("twilio")["codes"], "20003": NOT_NOW, "20429": TOO_FAST},
)  # fmt: skip
