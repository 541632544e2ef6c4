"""Sending emails by Brevo."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_key",))
