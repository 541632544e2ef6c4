"""Sending emails by Unisender Go."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_key", "api_url"))
