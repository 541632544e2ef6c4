"""By which way emails leave, out of EMAIL_ROUTE. Pure: settings.py reads this.

smtp://user:password@host:587   a relay, which reports by mail or webhook what became of them; smtps:// for TLS at once
mx:                             directly to the server of the receiving domain
mx://127.0.0.1:2525             the same, but all domains' mail goes to this one server: to try things out
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PORTS: Final = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Relay:
    """A server that takes all our mail. Its "250" says that it will try, no more."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    is_tls: bool = False

    @property
    def slug(self) -> str:
        return "relay"


@dataclass(frozen=True, slots=True)
class Direct:
    """The server of the receiving domain. Its "250" says that the mail has arrived.

    `host` stands in for all of them where it is set.
    """

    host: str = ""
    port: int = 25

    @property
    def slug(self) -> str:
        return "mx"


Route = Relay | Direct


def route_of(url: str) -> Route | None:
    """None where nothing is set: then no email can be sent. Raises ImproperlyConfigured with what to do."""
    text = url.strip()
    if not text:
        return None
    if text == "mx:":
        return Direct()
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise _wrong() from None
    if parts.scheme == "mx" and host and not (parts.path or parts.query or parts.fragment or parts.username):
        return Direct(host, port or 25)
    if parts.scheme not in PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise _wrong()
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Relay(host, port or PORTS[parts.scheme], user, password, parts.scheme == "smtps")


def _wrong() -> ImproperlyConfigured:
    # Without what was given: there may be a password in it.
    return ImproperlyConfigured(
        "EMAIL_ROUTE must look like smtp://user:password@relay.example.org:587, smtps://…, mx: or "
        "mx://127.0.0.1:2525 (docs/operators.md)."
    )
