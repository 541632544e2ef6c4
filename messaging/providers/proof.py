"""What the ways in which providers prove themselves have in common: keys, basic auth, the age of a signature.

A provider's keys are those in settings.WEBHOOK_KEYS under its slug; any one of them will do, so a key can be changed
without a gap.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Final

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.utils import get_request_basic_auth
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from messaging.providers.base import ForgedError, Probe, Provider

# What checking a signature runs into where the request, or the key, is not what it should be.
NOT_PROVED: Final = (
    AnymailWebhookValidationFailure, InvalidSignature, ValueError, TypeError, LookupError, AttributeError,
    RecursionError,
)  # fmt: skip
TOPIC: Final = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:[^:]+:[^:]+")


def keys_of(slug: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in settings.WEBHOOK_KEYS.get(slug, ()) if key.strip())


def has_keys(slug: str) -> bool:
    return bool(keys_of(slug))


def check_keys(provider: Provider) -> None:
    """Raises ImproperlyConfigured where one of its keys is none: it would be refused for ever, or take anything."""
    for number, key in enumerate(keys_of(provider.slug), 1):
        try:
            provider.key(key)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            # Not the key itself, and not the cause, which may quote it.
            page = f"docs/providers/{provider.slug if provider.is_built_in else 'generic'}.md"
            raise ImproperlyConfigured(
                f"{_variable(provider.slug)}, number {number}: {_words_of(error)}. See {page}."
            ) from None


def _words_of(error: Exception) -> str:
    return str(error) if isinstance(error, NoKeyError) else "it is no key of this provider"


class NoKeyError(ValueError):
    """What is set is no key; the message says why, without quoting it."""


def secret_in(key: str, prefix: str = "") -> bytes:
    """The secret that a key holds in base64, with a prefix or without. Raises NoKeyError."""
    try:
        secret = b64decode(key.removeprefix(prefix), validate=True)
    except ValueError:
        raise NoKeyError(f"it must be {prefix or 'a secret'}{' and a secret' if prefix else ''} in base64") from None
    if not secret:
        raise NoKeyError("the secret is empty, so anybody could sign with it")
    return secret


def topic_in(key: str) -> str:
    """The ARN of a topic. Raises NoKeyError."""
    if not TOPIC.fullmatch(key):
        raise NoKeyError("it must be the ARN of a topic, such as arn:aws:sns:eu-north-1:123456789012:engage")
    return key


def password_in(key: str) -> str:
    """A user and a password. Raises NoKeyError where either is empty."""
    if not all(key.partition(":")[::2]):
        raise NoKeyError("it must be user:password, neither of them empty")
    return key


def takes_old_signature(slug: str) -> bool:
    """Whether a provider's older signature, which covers less, is taken where its newer one is missing."""
    return slug in settings.WEBHOOK_OLD_SIGNATURES


def check_signature(slug: str, check: Callable[[str], object]) -> None:
    """Raises ForgedError unless `check` goes through with one of the provider's keys."""
    for key in keys_of(slug):
        try:
            check(key)
        except NOT_PROVED:
            continue
        return
    raise ForgedError(f"No key in {_variable(slug)} made this signature.")


def has_passwords(slug: str) -> bool:
    return bool(_passwords(slug))


def check_password(request: HttpRequest, slug: str) -> None:
    """Raises ForgedError unless the request brings the user and password of one of the provider's keys."""
    given = str(get_request_basic_auth(request) or "").encode("utf-8", "replace")
    if not any(compare_digest(each.encode("utf-8", "replace"), given) for each in _passwords(slug)):
        raise ForgedError(f"No user:password in {_variable(slug)} is that of this request.")


def sign_with_password(slug: str, url: str) -> Probe:
    """A request that `check_password` takes."""
    key = _passwords(slug)[0].encode("utf-8", "replace")
    return Probe(url, {"Authorization": f"Basic {b64encode(key).decode()}"})


def _passwords(slug: str) -> list[str]:
    """The keys that are a user and a password, neither of them empty."""
    return [key for key in keys_of(slug) if all(key.partition(":")[::2])]


def now() -> str:
    """Unix seconds, as signatures carry them."""
    return str(int(datetime.now(UTC).timestamp()))


def check_age(signed_at: str | datetime, oldest: timedelta) -> None:
    """Raises ForgedError where a signature's own time (Unix seconds, or aware) is further from now than `oldest`."""
    try:
        moment = signed_at if isinstance(signed_at, datetime) else datetime.fromtimestamp(int(signed_at), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ForgedError("The signature's timestamp is no time.") from error
    if abs(datetime.now(UTC) - moment) > oldest:
        raise ForgedError("The signature is too old: a replayed request.")


def _variable(slug: str) -> str:
    return f"{slug.upper()}_WEBHOOK_KEYS"
