"""Removing many blocks at once, and putting them back.

In chunks, each a transaction of its own, so nobody waits long and a killed worker's successor goes on where it was.
The record of the removal is locked first, by one worker at a time; then addresses by id and contacts by id, as always.
A block is ended by one conditional statement: of two administrators who mean the same block, one ends it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from contacts.blocks import sql
from contacts.blocks.filters import OPT_OUTS, BlockFilter
from contacts.blocks.operations import BulkLift
from contacts.blocks.record import lock
from contacts.models import Block
from engage.keyset import newest_number

CHUNK: Final = 1_000
EXAMPLES: Final = 10
MOST_NAMED: Final = 5
# As many blocks are looked at to say which domains they are of.
SAMPLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Preview:
    """What a removal would do: how many blocks, how many stay since their people opted out, and of what kind."""

    newest: int
    count: int
    opt_outs: int
    examples: Sequence[Block]
    reasons: Sequence[tuple[str, int]]
    domains: Sequence[tuple[str, int]]
    is_sample: bool


def preview(chosen: BlockFilter) -> Preview:
    newest = newest_number(Block)
    meant = chosen.blocks().filter(pk__lte=newest)
    by_reason = list(meant.values_list("reason").annotate(n=Count("*")).order_by("-n", "reason"))
    counted = [(reason, n) for reason, n in by_reason if reason not in OPT_OUTS]
    count = sum(n for _reason, n in counted)
    newest_ones = chosen.liftable().filter(pk__lte=newest).select_related("address").order_by("-pk")
    values = newest_ones.values_list("address__value", flat=True)[:SAMPLE]
    domains = Counter(value.partition("@")[2] for value in values if "@" in value)
    return Preview(
        newest, count, sum(n for _reason, n in by_reason) - count, list(newest_ones[:EXAMPLES]),
        counted[:MOST_NAMED], domains.most_common(MOST_NAMED), count > SAMPLE,
    )  # fmt: skip


def start(chosen: BlockFilter, *, newest: int, actor_id: int, reason: str) -> BulkLift:
    """Write down that these blocks up to number `newest` are to be removed, and remove the first of them.

    The caller has checked the permission, and wakes a worker where `is_running` says that there are more. Raises
    ValueError where nothing narrows the choice.
    """
    if not chosen:
        raise ValueError("all blocks")
    expected = chosen.liftable().filter(pk__lte=newest).count()
    lift = BulkLift.objects.create(
        actor_id=actor_id, reason=reason, filters=chosen.as_query(), newest=newest, expected=expected
    )
    step(lift.pk)
    lift.refresh_from_db()
    return lift


def undo(pk: int, *, actor_id: int) -> BulkLift:
    """Put back what this removal removed, and stop it if it still runs. A second time it changes nothing."""
    mine = BulkLift.objects.filter(pk=pk, undone_at=None).update(undone_at=timezone.now(), undone_by_id=actor_id)
    if mine:
        step(pk)
    return BulkLift.objects.get(pk=pk)


def carry_on() -> int:
    """Bring every removal and every undoing to its end, chunk by chunk. Returns how many chunks; harmless at once."""
    chunks = 0
    for pk in BulkLift.objects.filter(_unfinished()).order_by("pk").values_list("pk", flat=True):
        while step(pk):
            chunks += 1
    return chunks


def step(pk: int) -> bool:
    """Do one chunk of a removal or of its undoing. Returns whether there may be more."""
    with transaction.atomic():
        lift = BulkLift.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk).first()
        if lift is None or not lift.is_running:
            return False  # it is done, or somebody else is at it
        return _lift_some(lift) if lift.undone_at is None else _put_back_some(lift)


def _unfinished() -> Q:
    return Q(undone_at=None, finished_at=None) | Q(undone_at__isnull=False, undo_finished_at=None)


def _lift_some(lift: BulkLift) -> bool:
    chosen = BlockFilter.of(lift.filters).liftable().filter(pk__gt=lift.done_to, pk__lte=lift.newest)
    ids = _chunk(chosen)
    done = _run(sql.LIFT_MANY, ids, {"actor": lift.actor_id, "why": lift.reason, "lift": lift.pk})
    BulkLift.objects.filter(pk=lift.pk).update(
        lifted=F("lifted") + done, done_to=ids[-1] if ids else lift.newest, finished_at=_end(ids)
    )
    return len(ids) == CHUNK


def _put_back_some(lift: BulkLift) -> bool:
    ids = _chunk(Block.objects.filter(bulk_lift=lift, pk__gt=lift.undone_to))
    done = _run(sql.PUT_BACK, ids, {"actor": lift.undone_by_id, "lift": lift.pk})
    BulkLift.objects.filter(pk=lift.pk).update(
        put_back=F("put_back") + done, undone_to=ids[-1] if ids else lift.undone_to, undo_finished_at=_end(ids)
    )
    return len(ids) == CHUNK


def _chunk(chosen: "QuerySet[Block, Any]") -> list[int]:
    return list(chosen.order_by("pk").values_list("pk", flat=True)[:CHUNK])


def _run(statement: str, ids: list[int], values: dict[str, Any]) -> int:
    if not ids:
        return 0
    lock(Block.objects.filter(pk__in=ids).values_list("address_id", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(statement, {**values, "at": timezone.now(), "blocks": ids})
        return int(cursor.fetchone()[0])


def _end(ids: list[int]) -> datetime | None:
    return timezone.now() if len(ids) < CHUNK else None
