"""Sending emails by Mailchimp Transactional."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("api_key",))
