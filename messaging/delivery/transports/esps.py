"""The providers by whose HTTP API emails can leave, and what each wants to be set. Pure: settings.py reads this.

A provider's slug is that of its reports (messaging/providers/), so that these find their message. Each setting comes
from the environment, as <SLUG>_<NAME>: anymail's own names, so its documentation says where to find them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a provider wants to be set, and what may be; `api_url` may be for all of them."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    # It has no metadata, so our token travels as a tag.
    is_tagged: bool = False
    # Headers that it refuses to take from us, in lower case, and those by which it keeps what we set.
    refused: frozenset[str] = frozenset()
    added: Mapping[str, str] | None = None


ESPS: Final[Mapping[str, Wanted]] = {
    # boto3 finds its credentials by itself (AWS_ACCESS_KEY_ID …, or the machine's role).
    "amazon_ses": Wanted((), ("configuration_set_name", "region")),
    "brevo": Wanted(("api_key",)),
    "mailersend": Wanted(("api_token",), is_tagged=True),
    "mailgun": Wanted(("api_key",), ("sender_domain",)),
    # Its Headers collection takes no Message-ID (error send-0012).
    "mailjet": Wanted(("api_key", "secret_key"), refused=frozenset({"message-id"})),
    "mailtrap": Wanted(("api_token",), ("sandbox_id",)),
    "mandrill": Wanted(("api_key",)),
    "postal": Wanted(("api_key", "api_url"), is_tagged=True),
    # Postmark, "Can I set my own Message-ID?"
    "postmark": Wanted(("server_token",), ("message_stream",), added={"X-PM-KeepID": "true"}),
    "resend": Wanted(("api_key",)),
    "scaleway": Wanted(("secret_key", "project_id"), ("region",)),
    "sendgrid": Wanted(("api_key",)),
    "sparkpost": Wanted(("api_key",), ("subaccount",)),
    "unisender_go": Wanted(("api_key", "api_url")),
}


def settings_of(slug: str, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The settings of a provider, by anymail's names. Raises ImproperlyConfigured with what to do."""
    if slug not in ESPS:
        raise ImproperlyConfigured(
            f"EMAIL_ROUTE names a provider that is not known, {slug!r}. There are: {', '.join(sorted(ESPS))}."
        )
    wanted = ESPS[slug]
    found = {name: environment.get(variable(slug, name), "") for name in (*wanted.needed, *wanted.optional, "api_url")}
    if missing := [variable(slug, name) for name in wanted.needed if not found[name]]:
        raise ImproperlyConfigured(f"EMAIL_ROUTE needs {' and '.join(missing)} in the environment.")
    return tuple((name, value) for name, value in found.items() if value)


def variable(slug: str, name: str) -> str:
    """Such as SENDGRID_API_KEY."""
    return f"{slug}_{name}".upper()
