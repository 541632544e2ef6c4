"""Sending emails by Mailjet."""

from messaging.providers.esp import EspDescription

# Its Headers collection takes no Message-ID (error send-0012).
esp = EspDescription(("api_key", "secret_key"), refused=frozenset({"message-id"}))
