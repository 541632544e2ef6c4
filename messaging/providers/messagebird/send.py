"""Sending SMS by Bird's older REST API.

developers.messagebird.com, "SMS API". It reports on what has a reference, and nothing else.
"""

from messaging.providers.gateway import JSON, Gateway, GatewayRequest, Sms, error_at, json_body, one_id
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import tables


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "originator": sms.sender.lstrip("+"), "recipients": [sms.digits], "body": sms.text, "datacoding": "auto",
        "reference": sms.token, "reportUrl": sms.callback, "validity": max(1, sms.seconds),
    }  # fmt: skip
    return json_body("/messages", fields, {"Authorization": f"AccessKey {route.password}", "Accept": JSON})


gateway = Gateway(
    "messagebird", "https://rest.messagebird.com", _request, one_id("id"),
    error_at(["errors", 0, "code"], ["errors", 0, "description"]), tables("messagebird")["refusals"],
)  # fmt: skip
