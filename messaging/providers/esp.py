"""What the description of an email provider with an HTTP API is made of. Pure: settings.py asks what one needs.

Each provider's own is in its folder (send.py); django-anymail, which knows their formats, sends by it. Its slug is that
of its reports, so that these find their message. Each setting comes from the environment, as <SLUG>_<NAME>: anymail's
own names, so its documentation says where to find them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 60


def with_timeout(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What most of anymail's backends are made with."""
    return {**settings, "timeout": (CONNECT_SECONDS, ANSWER_SECONDS)}


@dataclass(frozen=True, slots=True)
class EspDescription:
    """What a provider needs to be set, and what may be; `api_url` may be for all of them."""

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    # It has no metadata, so our token travels as a tag.
    is_tagged: bool = False
    # Headers that it refuses to take from us, in lower case, and those by which it keeps what we set.
    refused: frozenset[str] = frozenset()
    added: Mapping[str, str] = field(default_factory=dict)
    # The header of its answer with the id that its reports name, where that is not the one that anymail reads.
    id_header: str = ""
    # From the settings to what anymail's backend is made with.
    backend_settings: Callable[[Mapping[str, Any]], dict[str, Any]] = with_timeout

    def settings_in(self, environment: Mapping[str, str], slug: str) -> tuple[tuple[str, str], ...]:
        """The settings of the provider, by anymail's names. Raises ImproperlyConfigured with what to do."""
        names = (*self.needed, *self.optional, "api_url")
        found = {name: environment.get(variable(slug, name), "") for name in names}
        if missing := [variable(slug, name) for name in self.needed if not found[name]]:
            raise ImproperlyConfigured(f"EMAIL_ROUTE needs {' and '.join(missing)} in the environment.")
        return tuple((name, value) for name, value in found.items() if value)


def variable(slug: str, name: str) -> str:
    """Such as SENDGRID_API_KEY."""
    return f"{slug}_{name}".upper()
