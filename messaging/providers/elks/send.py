"""Sending SMS by 46elks.

46elks documentation, "Send SMS". It has no validity period.
"""

from messaging.providers.gateway import Gateway, GatewayRequest, Sms, basic, form, one_id, text_at
from messaging.providers.http_route import HttpRoute


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {"from": sms.sender, "to": sms.number, "message": sms.text, "whendelivered": sms.callback}
    return form("/a1/sms", fields, basic(route))


gateway = Gateway(
    "elks", "https://api.46elks.com", _request, one_id("id"), lambda answer: ("", text_at(answer)),
    has_password_in_callback=True,
)  # fmt: skip
