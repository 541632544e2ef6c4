"""Sending emails by Mailtrap."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_token",), ("sandbox_id",))
