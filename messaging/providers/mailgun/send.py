"""Sending emails by Mailgun."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_key",), ("sender_domain",))
