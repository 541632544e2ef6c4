"""By which way emails leave, out of EMAIL_ROUTE. Pure: messaging/apps.py reads it at the start.

smtp://user:password@host:587   a relay, which reports by mail or webhook what became of them; smtps:// for TLS at once;
                                with ?ca=/path/to/ca.pem this authority is trusted, and no other
mx:                             directly to the server of the receiving domain
mx://127.0.0.1:2525             the same, but all domains' mail goes to this one server: to try things out
anymail:sendgrid                by a provider's HTTP API (providers/), whose reports say what became of them;
                                anymail:resend?without=Message-ID leaves a header out that the provider refuses
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from messaging.providers.sending import esp_of, senders

PORTS: Final = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Relay:
    """A server that takes all our mail. Its "250" says that it will try, no more.

    `ca`: the file with the certificates to trust; the system's where it is empty.
    """

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    is_tls: bool = False
    ca: str = ""

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


# To a mail server.
Route = Relay | Direct


@dataclass(frozen=True, slots=True)
class Esp:
    """A provider's HTTP API. Its "yes" says that it will try; its reports say the rest.

    `settings` are anymail's, by name; `without` names headers, in lower case, that it does not get.
    """

    slug: str
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    without: frozenset[str] = frozenset()


def route_of(url: str, environment: Mapping[str, str] = os.environ) -> Route | Esp | None:
    """None where nothing is set: then no email can be sent. Raises ImproperlyConfigured with what to do."""
    text = url.strip()
    if not text:
        return None
    if text.startswith("anymail:"):
        return _esp(text.removeprefix("anymail:"), environment)
    if text == "mx:":
        return Direct()
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _wrong() from None
    if parts.scheme == "mx" and host and not (parts.path or parts.query or parts.fragment or parts.username):
        return Direct(host, port or 25)
    if parts.scheme not in PORTS or not host or parts.path.strip("/") or options.keys() - {"ca"} or parts.fragment:
        raise _wrong()
    ca = options.get("ca", "")
    if "ca" in options and not Path(ca).is_file():
        raise ImproperlyConfigured(f"EMAIL_ROUTE: there is no file {ca!r} with the certificates to trust.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Relay(host, port or PORTS[parts.scheme], user, password, parts.scheme == "smtps", ca)


def to_strangers(route: Route | Esp | None) -> bool:
    """Whether it leads to the receiving domains' own servers."""
    return isinstance(route, Direct) and not route.host


def _esp(text: str, environment: Mapping[str, str]) -> Esp:
    slug, _, query = text.partition("?")
    options = parse_qs(query)
    if options.keys() - {"without"}:
        raise _wrong()
    without = frozenset(
        name.strip().lower() for name in ",".join(options.get("without", [])).split(",") if name.strip()
    )
    slug = slug.strip().lower()
    if slug not in senders("email"):
        raise ImproperlyConfigured(
            f"EMAIL_ROUTE names a provider that is not known, {slug!r}. There are: {', '.join(senders('email'))}."
        )
    return Esp(slug, esp_of(slug).settings_in(environment, slug), without)


def _wrong() -> ImproperlyConfigured:
    # Without what was given: there may be a password in it.
    return ImproperlyConfigured(
        "EMAIL_ROUTE must look like smtp://user:password@relay.example.org:587, smtps://…, mx:, "
        "mx://127.0.0.1:2525 or anymail:sendgrid (docs/operators.md)."
    )
