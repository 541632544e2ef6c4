"""Sending emails by Amazon SES, which anymail does with boto3."""

from collections.abc import Mapping
from typing import Any

from messaging.providers.esp import ANSWER_SECONDS, CONNECT_SECONDS, EspDescription


def _backend_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    client = {
        # A request that boto3 repeats by itself could be taken twice.
        "config": {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": ANSWER_SECONDS,
            "retries": {"total_max_attempts": 1},
        },
        "region_name": settings.get("region"),
        "endpoint_url": settings.get("api_url"),
    }  # fmt: skip
    found: dict[str, Any] = {"client_params": {name: value for name, value in client.items() if value}}
    if "configuration_set_name" in settings:
        found["configuration_set_name"] = settings["configuration_set_name"]
    return found


# boto3 finds its credentials by itself (AWS_ACCESS_KEY_ID …, or the machine's role).
esp = EspDescription(optional=("configuration_set_name", "region"), backend_settings=_backend_settings)
