"""Sending SMS by Bird's API.

bird.com/docs, "Send a message", and Bird's own SDK (messagebird-sdk). The key names its region, and reports come to the
webhook that is subscribed. validity_period is a preview: whoever is not part of it is refused.
"""

import re
from typing import Final

from messaging.providers.bird.webhook import OUR_METADATA
from messaging.providers.gateway import Gateway, GatewayRequest, Sms, error_at, json_body, one_id
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import tables

_REGION: Final = re.compile(r"b[km]_([a-z]{2}[0-9]+)_")


def _base(route: HttpRoute) -> str:
    found = _REGION.match(route.password)
    return f"https://{found[1] if found else 'eu1'}.platform.bird.com"


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    fields = {
        "from": sms.sender, "to": sms.number, "text": sms.text, "metadata": {OUR_METADATA: sms.token},
        "category": "marketing" if sms.is_promotional else "transactional",
    }  # fmt: skip
    return json_body("/v1/sms/messages", fields, {"Authorization": f"Bearer {route.password}"})


gateway = Gateway(
    "bird", _base, _request, one_id("id"), error_at(["error", "name"], ["error", "message"]),
    tables("bird")["refusals"],
)  # fmt: skip
