"""Sending emails by Scaleway."""

from messaging.providers.esp import EspDescription

esp = EspDescription(("secret_key", "project_id"), ("region",))
