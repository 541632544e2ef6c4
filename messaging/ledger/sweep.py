"""What falls due: a deferred email 72 hours after its first attempt, an SMS 48 hours after its sending.

A real report that comes later wins by its tier.
"""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from messaging.ledger.record import give_up

CHUNK: Final = 1_000


def give_up_due() -> int:
    """Give up on every message that is due by now and still waited for, chunk by chunk. Returns how many.

    Each chunk is a transaction of its own, so a sweep that is killed has done what it had done; a row that somebody
    else holds is left for the next sweep. Harmless twice, and at once.
    """
    now, total = timezone.now(), 0
    while True:
        due, given_up = _sweep_chunk(now)
        total += given_up
        if due < CHUNK:
            return total


def _sweep_chunk(now: datetime) -> tuple[int, int]:
    with transaction.atomic():
        return give_up(now, CHUNK)
