"""How many messages of a send-out show each status, and how many members were left out: kept, never counted by a page.

Whoever moves messages appends the differences to Movement in the same statement; here they are folded into Total. Both
are read in one statement, so what is read is exact at any moment. docs/contributors.md, A send-out's life.
"""

from collections.abc import Sequence
from typing import Final

from django.db import connection, transaction

from messaging.sendouts import sql
from messaging.sendouts.models import SendOut, Why
from messaging.sendouts.outcome import keeping
from messaging.status.order import Status

CHUNK: Final = 20_000
REASONS: Final = tuple(Why)
FIGURES: Final = frozenset({*Status.values, *Why.values})


class Totals(dict[str, int]):
    """By figure (a Status or a Why); 0 for what there is none of. Nothing else is a key: templates ask that first."""

    def __missing__(self, figure: str) -> int:
        if figure in FIGURES:
            return 0
        raise KeyError(figure)

    @property
    def messages(self) -> int:
        """Rows, the control group among them."""
        return sum(self[status] for status in Status)

    @property
    def sent_to(self) -> int:
        """Messages that are or will be handed over."""
        return self.messages - self[Status.CONTROL_GROUP]

    @property
    def handed_over(self) -> int:
        return self.sent_to - self[Status.WAITING]

    @property
    def left_out(self) -> int:
        return sum(self[why] for why in REASONS)

    @property
    def audience(self) -> int:
        """All members that were looked at."""
        return self.messages + self.left_out


def totals_of(send_outs: Sequence[int]) -> dict[int, Totals]:
    """By the send-out's number; one statement for all of them."""
    found = {pk: Totals() for pk in send_outs}
    with connection.cursor() as cursor:
        cursor.execute(sql.TOTALS, [list(send_outs), list(send_outs)])
        for pk, figure, count in cursor.fetchall():
            found[pk][figure] = count
    return found


def fold() -> int:
    """Take what was moved into the totals, chunk by chunk. Returns how many lines that were. Harmless at once, too."""
    total = 0
    while True:
        done = _fold_chunk()
        total += done
        if done < CHUNK:
            return total


def recount(send_out_id: int) -> None:
    """Count the send-out's messages anew, for where somebody wrote messages past us (an older version, the demo)."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.LOCK_FOLDING)
        cursor.execute(sql.RECOUNT, {"send_out": send_out_id})


def recount_all() -> int:
    """Returns how many send-outs were counted."""
    numbers = list(SendOut.objects.order_by("pk").values_list("pk", flat=True))
    for pk in numbers:
        recount(pk)
        keeping.recount(pk)
    return len(numbers)


def _fold_chunk() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.TRY_FOLDING)
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(sql.FOLD, [CHUNK])
        return int(cursor.fetchone()[0])
