"""By which way SMS leave, out of SMS_ROUTE. Pure: messaging/apps.py reads it at the start.

smpp:                                  over all connections of SMPP_URLS
smpp:telia,tele2                       over these
twilio://AC…:token@                    by the HTTP API of a gateway; user and password: docs/operators.md
sinch://plan:token@us.sms.api.sinch.com?rate=20&at_once=4
amazon_sms://key:secret@?region=eu-north-1&set=engage
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from messaging.providers.http_route import AT_ONCE, HttpRoute
from messaging.providers.sending import route_options, senders


@dataclass(frozen=True, slots=True)
class Smpp:
    """`manage.py smpp` hands over, over the connections of these names; over all where there are none."""

    names: frozenset[str] = frozenset()

    @property
    def slug(self) -> str:
        return "smpp"

    def takes(self, name: str) -> bool:
        return not self.names or name in self.names


SmsRoute = Smpp | HttpRoute


def sms_route_of(url: str, connections: Collection[str], folder: str = "") -> SmsRoute | None:
    """None where nothing is set: then no SMS can be sent. Raises ImproperlyConfigured with what to do.

    `connections` are the names of those in SMPP_URLS; in `folder` are files that describe further gateways.
    """
    scheme, _, rest = url.strip().partition(":")
    if not scheme:
        return None
    if scheme == "smpp":
        return _smpp(rest, connections)
    if rest.startswith("//") and (scheme in senders("sms") or _is_described(scheme, folder)):
        return _http(scheme, rest)
    # Without what was given: there may be a password in it.
    raise ImproperlyConfigured(
        "SMS_ROUTE must look like smpp:, smpp:name or twilio://user:password@; gateways are: "
        f"{', '.join(senders('sms'))}, and those that a file in GATEWAYS_DIR describes (docs/operators.md)."
    )


def _smpp(list_of_names: str, connections: Collection[str]) -> Smpp:
    names = frozenset(filter(None, map(str.strip, list_of_names.split(","))))
    if not connections:
        raise ImproperlyConfigured("SMS_ROUTE says smpp:, so SMPP_URLS must name a connection.")
    if missing := names.difference(connections):
        raise ImproperlyConfigured(f"SMS_ROUTE: there is no {', '.join(sorted(missing))} in SMPP_URLS.")
    return Smpp(names)


def _is_described(slug: str, folder: str) -> bool:
    return bool(folder and slug.isidentifier() and (Path(folder) / f"{slug}.toml").is_file())


def _http(slug: str, rest: str) -> HttpRoute:
    try:
        parts = urlsplit(f"x:{rest}")
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        rate, at_once = float(options.pop("rate", 0)), int(options.pop("at_once", AT_ONCE))
        own = {name: options.pop(name) for name in route_options(slug)}
        port = f":{parts.port}" if parts.port else ""
    except (ValueError, KeyError):
        raise _wrong(slug) from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if options or not password or parts.path.strip("/") or rate < 0 or not 1 <= at_once <= 100:
        raise _wrong(slug)
    return HttpRoute(
        slug, user, password, f"https://{parts.hostname}{port}" if parts.hostname else "", rate, at_once, own
    )


def _wrong(slug: str) -> ImproperlyConfigured:
    own = "&".join(f"{name}=…" for name in route_options(slug))
    short, long = (f"?{own}", f"?{own}&") if own else ("", "?")
    return ImproperlyConfigured(
        f"SMS_ROUTE must look like {slug}://user:password@{short} or "
        f"{slug}://user:password@host{long}rate=20&at_once=4; signs such as @ : / in user or password are written as "
        "%40 %3A %2F (docs/operators.md)."
    )
