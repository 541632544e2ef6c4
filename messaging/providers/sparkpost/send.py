"""Sending emails by SparkPost."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_key",), ("subaccount",))
