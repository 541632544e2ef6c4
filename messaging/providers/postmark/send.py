"""Sending emails by Postmark."""

from messaging.providers.esp import EspDescription

# Postmark, "Can I set my own Message-ID?"
esp = EspDescription(("server_token",), ("message_stream",), added={"X-PM-KeepID": "true"})
