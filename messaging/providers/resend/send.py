"""Sending emails by Resend."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_key",))
