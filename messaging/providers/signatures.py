"""What several SMS providers sign with, on top of proof.py: HMAC, JWT, and the address that they posted to."""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from django.conf import settings
from django.http import HttpRequest

from messaging.providers import proof
from messaging.providers.base import ForgedError

# Providers try for up to a day, and not all of them sign anew at each try. A report that comes twice changes nothing.
OLDEST: Final = timedelta(hours=25)
# RFC 7518 3.2: HMAC only; "none" and public keys are refused.
ALGORITHMS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def same(given: str | bytes, made: str | bytes) -> None:
    """Raises InvalidSignature where the signatures differ, in a time that tells nothing of them."""
    if not hmac.compare_digest(_bytes(given), _bytes(made)):
        raise InvalidSignature


def among(given: Iterable[str], made: bytes) -> None:
    """Raises InvalidSignature where none of those given is the one that was made."""
    if not any(hmac.compare_digest(_bytes(each), made) for each in given):
        raise InvalidSignature


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else text


def claims_of(token: str, slug: str) -> dict[str, Any]:
    """The claims of a JWT (RFC 7515) that one of the provider's keys signed. Raises ForgedError."""
    try:
        head, body, signature = token.split(".")
        algorithm = ALGORITHMS[json.loads(_decoded(head))["alg"]]
        claims, given = json.loads(_decoded(body)), _decoded(signature)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ForgedError("No JWT signed with a shared secret.") from error
    signed = f"{head}.{body}".encode("utf-8", "replace")
    proof.check_signature(slug, lambda key: same(given, hmac.digest(key.encode(), signed, algorithm)))
    if not isinstance(claims, dict):
        raise ForgedError("The JWT claims nothing.")
    return claims


def _decoded(part: str) -> bytes:
    """Base64url without padding (RFC 7515 2)."""
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def public_url(request: HttpRequest) -> str:
    """The address that the provider posted to, as it knows it."""
    url: str = settings.PUBLIC_URL + request.get_full_path()
    return url
