"""Sending SMS by Sinch.

Sinch documentation, "SMS", "Batches", "Send"; the user is the service plan.
"""

from urllib.parse import quote

from messaging.providers.gateway import Gateway, GatewayRequest, Sms, error_at, json_body, one_id
from messaging.providers.http_route import HttpRoute


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender, "to": [sms.digits], "body": sms.text, "delivery_report": "per_recipient",
        "expire_at": sms.until, "callback_url": sms.callback, "client_reference": sms.token,
    }  # fmt: skip
    return json_body(f"/xms/v1/{quote(route.user)}/batches", fields, {"Authorization": f"Bearer {route.password}"})


gateway = Gateway(
    "sinch", "https://eu.sms.api.sinch.com", _request, one_id("id"), error_at(["code"], ["text"])
)  # fmt: skip
