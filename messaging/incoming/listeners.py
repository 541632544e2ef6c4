"""Where `manage.py bounce_server` listens, out of BOUNCE_LISTEN. Pure: messaging/apps.py reads it at the start."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

LMTP, SMTP = "lmtp", "smtp"
# RFC 2033 gives LMTP no port; this is the one that many choose.
PORTS: Final = {LMTP: 8024, SMTP: 25}


@dataclass(frozen=True, slots=True)
class Listener:
    """One address; a unix socket where `path` is set."""

    protocol: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{self.protocol}://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


def listeners_of(urls: Iterable[str]) -> list[Listener]:
    """Raises ImproperlyConfigured with what to do."""
    return [_listener(url) for url in filter(None, map(str.strip, urls))]


def _listener(url: str) -> Listener:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise _wrong(url) from None
    if parts.scheme not in PORTS or parts.query or parts.fragment or parts.username or bool(host) == bool(parts.path):
        raise _wrong(url)
    return Listener(parts.scheme, path=parts.path) if parts.path else _at_port(parts.scheme, host, port)


def _at_port(protocol: str, host: str, port: int | None) -> Listener:
    return Listener(protocol, host, PORTS[protocol] if port is None else port)


def _wrong(url: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"BOUNCE_LISTEN: {url!r} must look like lmtp://127.0.0.1:8024, smtp://0.0.0.0:25 or "
        "lmtp:///run/engage/bounce.sock. See docs/providers/mail.md."
    )
