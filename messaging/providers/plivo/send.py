"""Sending SMS by Plivo.

Plivo documentation, "Send a message". It has no validity period that goes as far as ours.
"""

from urllib.parse import quote

from messaging.providers.gateway import Gateway, GatewayRequest, Sms, basic, error_at, json_body, one_id
from messaging.providers.http_route import HttpRoute


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "src": sms.sender.lstrip("+"), "dst": sms.digits, "text": sms.text, "url": sms.callback, "method": "POST"
    }  # fmt: skip
    return json_body(f"/v1/Account/{quote(route.user)}/Message/", fields, basic(route))


gateway = Gateway(
    "plivo", "https://api.plivo.com", _request, one_id("message_uuid", 0), error_at(["error_code"], ["error"])
)  # fmt: skip
