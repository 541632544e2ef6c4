"""Sending SMS by Telnyx.

Telnyx documentation, "Send a message"; a sender that is a name belongs to a messaging profile, which is the user.
"""

from messaging.providers.gateway import Gateway, GatewayRequest, Sms, error_at, json_body, one_id
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import tables


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender, "to": sms.number, "text": sms.text, "webhook_url": sms.callback, "tags": [sms.token],
        "messaging_profile_id": route.user,
    }  # fmt: skip
    return json_body("/v2/messages", fields, {"Authorization": f"Bearer {route.password}"})


gateway = Gateway(
    "telnyx", "https://api.telnyx.com", _request, one_id("data", "id"),
    error_at(["errors", 0, "code"], ["errors", 0, "detail"]), tables("telnyx")["codes"],
)  # fmt: skip
