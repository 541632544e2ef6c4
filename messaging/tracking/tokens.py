"""Our own tokens: they travel in a message, and come back in its reports and to the pages that it leads to.

A token names a message and proves that this installation wrote it, so a report meant for another one (a test system on
the same provider account, say) never lands on a message that happens to have the same number. It proves one purpose and
no other: whoever sees the links of a mail that was forwarded learns nothing of its return path. Lower case and 7-bit,
to survive a VERP local part (RFC 5321 4.5.3.1.1: 64 characters) and an SMS client reference.
"""

import hmac
import re
import time
from collections.abc import Iterator
from enum import StrEnum
from functools import cache, lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection

# A token alone or within an address, a header or a URL.
TOKEN: Final = re.compile(r"(?<![a-z0-9])\d{1,18}-[0-9a-f]{16}(?![a-z0-9])", re.IGNORECASE)
PROOF_BYTES: Final = 8
# For so long after going over, mail servers may still send back what the version before handed over: they give up after
# four or five days (RFC 5321 4.5.4.1), and their report may be as long on its way.
OLD_RETURN_PATHS_DAYS: Final = 14
OLD: Final = "SELECT last_message, extract(epoch FROM at)::float8 FROM messaging_oldtokens ORDER BY id LIMIT 1"


class Purpose(StrEnum):
    """What a token proves. In this order they lie in the digest, so a new one goes to the end; there is room for 8."""

    # Names the message to who sends it for us: a provider's metadata, a gateway's reference, the Message-ID.
    MESSAGE = "message"
    # In the return path alone.
    BOUNCE = "bounce"
    OPEN = "open"
    CLICK = "click"
    LEAVE = "leave"
    VIEW = "view"


PLACES: Final = {purpose: place * PROOF_BYTES for place, purpose in enumerate(Purpose)}


class Old(NamedTuple):
    """Tokens without a purpose, of versions before: the last message that may have one, and until when (seconds since
    1970) they are good for a return path."""

    last_message: int
    return_paths_until: float


def token_of(message_id: int, purpose: Purpose = Purpose.MESSAGE) -> str:
    """The token of a message for this purpose, such as `4711-5d0c1f9a3be27486`."""
    return f"{message_id}-{_proof(settings.SECRET_KEY, message_id, purpose)}"


def message_id_of(token: str, purpose: Purpose = Purpose.MESSAGE, *, takes_old: bool = True) -> int | None:
    """The message that `token` names, or None where this installation did not write it for this purpose.

    `takes_old`: whether one without a purpose may prove it, which versions before have written.
    """
    read = _read(token)
    if read is None:
        return None
    if _is_new(*read, purpose) or (takes_old and _is_old(*read) and _is_good_of_old(read.message_id, purpose)):
        return read.message_id
    return None


def is_ours(token: str, purpose: Purpose) -> bool:
    """Whether this installation wrote it for this purpose, or a version before at any time. Asks no database."""
    read = _read(token)
    return read is not None and (_is_new(*read, purpose) or _is_old(*read))


def message_ids_in(text: str) -> Iterator[int]:
    """The messages that the tokens of ours in a text name, whatever for, in its order."""
    for found in TOKEN.findall(text):
        message_id = next(filter(None, (message_id_of(found, purpose) for purpose in Purpose)), None)
        if message_id is not None:
            yield message_id


@cache
def old() -> Old:
    """Which tokens of versions before are still good: asked once a process, as it never changes."""
    with connection.cursor() as cursor:
        cursor.execute(OLD)
        last_message, since = cursor.fetchone() or (0, 0.0)
    return Old(last_message, since + OLD_RETURN_PATHS_DAYS * 86_400)


def _is_good_of_old(message_id: int, purpose: Purpose) -> bool:
    known = old()
    return message_id <= known.last_message and (purpose != Purpose.BOUNCE or time.time() < known.return_paths_until)


class Read(NamedTuple):
    message_id: int
    proof: bytes


def _read(token: str) -> Read | None:
    number, _, proof = token.strip().lower().partition("-")
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    return Read(int(number), proof.encode()) if is_number else None


def _is_new(message_id: int, given: bytes, purpose: Purpose) -> bool:
    return any(hmac.compare_digest(_proof(key, message_id, purpose).encode(), given) for key in _keys())


def _is_old(message_id: int, given: bytes) -> bool:
    return any(hmac.compare_digest(_old_proof(key, message_id).encode(), given) for key in _keys())


def _keys() -> Iterator[str]:
    yield settings.SECRET_KEY
    yield from settings.SECRET_KEY_FALLBACKS


def _proof(key: str, message_id: int, purpose: Purpose) -> str:
    # 64 bits, against which nobody can try more than one report at a time.
    place = PLACES[purpose]
    return _digest(key, message_id)[place : place + PROOF_BYTES].hex()


@lru_cache(maxsize=64)
def _digest(key: str, message_id: int) -> bytes:
    """64 bytes, of which each purpose has its own: a mail needs several at a time, and one digest is enough."""
    return hmac.digest(_derived(key, b"engage message tokens by purpose\0"), b"%d" % message_id, "sha512")


def _old_proof(key: str, message_id: int) -> str:
    return hmac.digest(_derived(key, b"engage message token\0"), b"%d" % message_id, "sha256")[:PROOF_BYTES].hex()


@lru_cache(maxsize=16)
def _derived(key: str, label: bytes) -> bytes:
    return sha256(label + key.encode()).digest()
