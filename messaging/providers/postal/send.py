"""Sending emails by Postal."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_key", "api_url"), is_tagged=True)
