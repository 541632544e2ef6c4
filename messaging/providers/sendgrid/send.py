"""Sending emails by SendGrid."""

from messaging.providers.esp import EspDescription

# Its reports name the id in this header, which anymail does not read.
esp = EspDescription(("api_key",), id_header="X-Message-Id")
