"""Signs of life that were recorded before their block was.

A sign that comes while the address is blocked is noted as it comes (follow.py). One that overtook the report of the
bounce was recorded when there was no block yet. So each block is looked through once, soon after it was made.
"""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from contacts.blocks.record import Engagement, lock, note_life, note_proofs
from contacts.models import Block
from messaging.ledger import sql
from messaging.ledger.batch import SIGNS
from messaging.status.order import Kind

# So few, since all that was heard of their addresses since lies in memory at once.
CHUNK: Final = 100
# A worker may have looked for blocks just before this one was made, and commit its signs after it: no batch takes as
# long as this.
SETTLES_AFTER: Final = timedelta(minutes=2)


def seek() -> int:
    """Look through every block that nobody has looked through yet. Returns how many; harmless twice, and at once."""
    total, last = 0, 0
    while due := _due(last):
        _seek(due)
        total, last = total + len(due), due[-1]
    return total


def _due(last: int) -> list[int]:
    settled = timezone.now() - SETTLES_AFTER
    blocks = Block.objects.filter(ended_at=None, is_life_sought=False, pk__gt=last, recorded_at__lt=settled)
    return list(blocks.order_by("pk").values_list("pk", flat=True)[:CHUNK])


def _seek(block_ids: list[int]) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql.EVENTS_SINCE_BLOCK, [block_ids, [*SIGNS, Kind.HARD_BOUNCE]])
            told = cursor.fetchall()
        lock(Block.objects.filter(pk__in=block_ids).values_list("address_id", flat=True))
        by_kind = {is_bounce: list(rows) for is_bounce, rows in groupby(sorted(told, key=_is_bounce), _is_bounce)}
        if bounces := by_kind.get(True):
            note_proofs([(address_id, at) for address_id, at, *_rest in bounces])
        if signs := by_kind.get(False):
            note_life([Engagement(address, at, SIGNS[Kind(kind)], auto, pk) for address, at, kind, auto, pk in signs])
        Block.objects.filter(pk__in=block_ids, ended_at=None).update(is_life_sought=True)


def _is_bounce(row: tuple[int, datetime, str, bool, int]) -> bool:
    return row[2] == Kind.HARD_BOUNCE
