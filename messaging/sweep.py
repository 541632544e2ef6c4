"""What falls due: a deferred email 72 hours after its first attempt, an SMS 48 hours after its sending.

As events of our own, by the same way as everybody's: so a real report that comes later wins by its tier.
"""

from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from messaging import sql
from messaging.apply import WAITED_FOR, Said, apply
from messaging.statuses import Event, Kind

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
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.CLAIM_DUE, [now, CHUNK])
        due = cursor.fetchall()
        if not due:
            return 0, 0
        # What got its final word in time is merely taken off the list (see Message).
        late = [Said(_gave_up(pk, *rest)) for pk, channel, status, *rest in due if status == WAITED_FOR[channel]]
        apply(late)
        cursor.execute(sql.CLEAR_DUE, [[row[0] for row in due]])
        return len(due), len(late)


def _gave_up(message_id: int, due_at: datetime, diagnostic: str, said_by: str) -> Event:
    """Keeps the last words of the server that put us off: they are what a marketer wants to know."""
    return Event(
        provider="engage", kind=Kind.GAVE_UP, occurred_at=due_at, repeat_id=str(message_id), message_id=message_id,
        reason="expired", diagnostic=diagnostic, said_by=said_by,
    )  # fmt: skip
