"""Our own token that travels in a message and comes back in its reports.

It names the message and proves that this installation wrote it, so a report meant for another one (a test system
on the same provider account, say) never lands on a message that happens to have the same number. Lower case and 7-bit,
to survive a VERP local part (RFC 5321 4.5.3.1.1: 64 characters) and an SMS client reference.
"""

import hmac
import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Final

from django.conf import settings

# A token alone or within an address, a header or a URL.
TOKEN: Final = re.compile(r"(?<![a-z0-9])\d{1,18}-[0-9a-f]{16}(?![a-z0-9])", re.IGNORECASE)


def token_of(message_id: int) -> str:
    """The token of a message, such as `4711-5d0c1f9a3be27486`."""
    return f"{message_id}-{_proof(settings.SECRET_KEY, message_id)}"


def message_id_of(token: str) -> int | None:
    """The message that `token` names, or None where this installation did not write the token."""
    number, _, proof = token.strip().lower().partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    message_id, given = int(number), proof.encode()
    if _is_proof(settings.SECRET_KEY, message_id, given):
        return message_id
    return message_id if any(_is_proof(key, message_id, given) for key in settings.SECRET_KEY_FALLBACKS) else None


def _is_proof(key: str, message_id: int, given: bytes) -> bool:
    return hmac.compare_digest(_proof(key, message_id).encode(), given)


def message_ids_in(text: str) -> Iterator[int]:
    """The messages that the tokens of ours in a text name, in its order."""
    return filter(None, (message_id_of(found) for found in TOKEN.findall(text)))


def _proof(key: str, message_id: int) -> str:
    # 64 bits, against which nobody can try more than one report at a time.
    return hmac.digest(_derived(key), b"%d" % message_id, "sha256")[:8].hex()


@lru_cache(maxsize=8)
def _derived(key: str) -> bytes:
    return sha256(b"engage message token\0" + key.encode()).digest()
