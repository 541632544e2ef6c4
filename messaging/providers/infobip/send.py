"""Sending SMS by Infobip.

Infobip documentation, "Send SMS messages", version 3; an API key is the password, the user is not used.
"""

from typing import Any

from messaging.providers.gateway import (
    JSON,
    Gateway,
    GatewayAnswer,
    GatewayRequest,
    Sms,
    at,
    error_at,
    json_body,
    text_at,
)
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import tables


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
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


def _parse_answer(answer: Any) -> GatewayAnswer:
    message, group = text_at(answer, "messages", 0, "messageId"), text_at(answer, "messages", 0, "status", "groupName")
    if group == "REJECTED":
        status = at(answer, "messages", 0, "status")
        return GatewayAnswer(
            (message,) if message else (), text_at(status, "id"), text_at(status, "description"), is_refused=True
        )
    return GatewayAnswer((message,) if message else ())


gateway = Gateway(
    "infobip", "https://api.infobip.com", _request, _parse_answer,
    error_at(["requestError", "serviceException", "messageId"], ["requestError", "serviceException", "text"]),
    tables("infobip")["statuses"], has_password_in_callback=True,
)  # fmt: skip
