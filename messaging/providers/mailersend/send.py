"""Sending emails by MailerSend."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_token",), is_tagged=True)
