"""By which way SMS leave, out of SMS_ROUTE. Pure: settings.py reads this.

smpp:              over all connections of SMPP_URLS
smpp:telia,tele2   over these
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Smpp:
    """`manage.py smpp` hands over, over the connections of these names; over all where there are none."""

    names: frozenset[str] = frozenset()

    @property
    def slug(self) -> str:
        return "smpp"

    def takes(self, name: str) -> bool:
        return not self.names or name in self.names


SmsRoute = Smpp


def sms_route_of(url: str, connections: Collection[str]) -> SmsRoute | None:
    """None where nothing is set: then no SMS can be sent. Raises ImproperlyConfigured with what to do.

    `connections` are the names of those in SMPP_URLS.
    """
    scheme, _, rest = url.strip().partition(":")
    if not scheme:
        return None
    if scheme == "smpp":
        return _smpp(rest, connections)
    # Without what was given: there may be a password in it.
    raise ImproperlyConfigured("SMS_ROUTE must look like smpp: or smpp:name (docs/operators.md).")


def _smpp(said: str, connections: Collection[str]) -> Smpp:
    names = frozenset(filter(None, map(str.strip, said.split(","))))
    if not connections:
        raise ImproperlyConfigured("SMS_ROUTE says smpp:, so SMPP_URLS must name a connection.")
    if missing := names.difference(connections):
        raise ImproperlyConfigured(f"SMS_ROUTE: there is no {', '.join(sorted(missing))} in SMPP_URLS.")
    return Smpp(names)
