"""What the signatures of several providers have in common. Each check raises ForgedError, and nothing else.

A provider's keys are those in <SLUG>_WEBHOOK_KEYS; any of them will do, so that one can be changed without a gap.
"""

import binascii
import hmac
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

from messaging.providers.base import ForgedError

# Providers try for up to a day, and not all of them sign anew at each try. A report that comes twice changes nothing.
OLDEST: Final = timedelta(hours=25)
# Between two clocks.
LEEWAY: Final = timedelta(minutes=1)
# RFC 7518 3.2: HMAC only; "none" and public keys are refused.
ALGORITHMS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def keys_of(slug: str) -> list[str]:
    keys: list[str] = settings.WEBHOOK_KEYS.get(slug, [])
    return keys


def check(slug: str, given: str, sign: Callable[[str], str]) -> None:
    """One of the provider's keys must have made this signature."""
    made = [sign(key).encode("utf-8", "replace") for key in keys_of(slug)]
    if not is_among(given, made):
        raise ForgedError(f"No key in {slug.upper()}_WEBHOOK_KEYS made this signature.")


def is_among(given: str, made: Iterable[bytes]) -> bool:
    """In a time that tells nothing of the signatures."""
    said = given.encode("utf-8", "replace")
    return any([hmac.compare_digest(each, said) for each in made])


def check_age(timestamp: object, oldest: timedelta = OLDEST) -> None:
    """The signed time, in seconds since 1970, must not be longer ago than `oldest`: an older request is a replay."""
    try:
        signed_at = datetime.fromtimestamp(float(str(timestamp)), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ForgedError("The signature's timestamp is no time.") from error
    if datetime.now(UTC) - signed_at > oldest:
        raise ForgedError("The signature is too old: a replayed request.")


def check_basic(slug: str, request: HttpRequest) -> None:
    """User and password must be one of the provider's keys, each of the form user:password (RFC 7617)."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise ForgedError("No user and password in the request.")
    check(slug, given.strip(), lambda key: b64encode(key.encode()).decode())


def claims_of(token: str, keys: Iterable[str]) -> dict[str, Any]:
    """The claims of a JWT that one of `keys` signed (RFC 7515)."""
    try:
        head, body, signature = token.split(".")
        algorithm = ALGORITHMS[json.loads(_decoded(head))["alg"]]
        claims, given = json.loads(_decoded(body)), _decoded(signature)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ForgedError("No JWT signed with a shared secret.") from error
    said = f"{head}.{body}".encode()
    if not any([hmac.compare_digest(hmac.digest(key.encode(), said, algorithm), given) for key in keys]):
        raise ForgedError("No key made the signature of this JWT.")
    if not isinstance(claims, dict):
        raise ForgedError("The JWT claims nothing.")
    return claims


def _decoded(part: str) -> bytes:
    """Base64url without padding (RFC 7515 2)."""
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def decoded(text: str) -> bytes:
    """Base64; empty where it is none, which no signature is."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (ValueError, binascii.Error):
        return b""


def public_url(request: HttpRequest) -> str:
    """The address that the provider posted to, as it knows it."""
    url: str = settings.PUBLIC_URL + request.get_full_path()
    return url
