"""What the ways in which providers prove themselves have in common: keys, basic auth, the age of a signature.

A provider's keys are those in settings.WEBHOOK_KEYS under its slug; any one of them will do, so a key can be changed
without a gap.
"""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Final

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.utils import get_request_basic_auth
from cryptography.exceptions import InvalidSignature
from django.conf import settings
from django.http import HttpRequest

from messaging.providers.base import ForgedError, Probe

# What checking a signature runs into where the request, or the key, is not what it should be.
NOT_PROVED: Final = (
    AnymailWebhookValidationFailure, InvalidSignature, ValueError, TypeError, LookupError, AttributeError,
    RecursionError,
)  # fmt: skip


def keys_of(slug: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in settings.WEBHOOK_KEYS.get(slug, ()) if key.strip())


def has_keys(slug: str) -> bool:
    return bool(keys_of(slug))


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
