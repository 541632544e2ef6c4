"""An import of a block list: read and weighed first, blocked once somebody says so.

The lines wait in a table of their own, so that a dry run is one statement, and blocking goes on after a kill where it
was. Reading begins anew after a kill: it has changed nothing yet. Everything may be done twice and at once.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.blocks import sql
from contacts.blocks.operations import BlockImport, ImportPart, ImportRow
from contacts.blocks.reading import Bad, BlockLine, Layout, ReasonOf, read
from contacts.blocks.record import lock
from contacts.lines import UnreadableListError
from contacts.models import Cause
from contacts.sql import columns

CHUNK: Final = 1_000
STAGED_AT_ONCE: Final = 5_000
PART_BYTES: Final = 1024 * 1024
MOST_BAD_KEPT: Final = 1_000
# The first half of the number of PostgreSQL's advisory lock; the second is the import's own.
LOCK: Final = 1_986_358_116
State = BlockImport.State


def give(file_name: str, size: int, chunks: Iterable[bytes], *, actor_id: int | None) -> BlockImport:
    """Keep an uploaded file until it is read."""
    with transaction.atomic():
        given = BlockImport.objects.create(file_name=file_name[:200], size=size, actor_id=actor_id)
        for number, chunk in enumerate(chunks):
            ImportPart.objects.create(block_import=given, number=number, body=chunk)
    return given


def read_given(pk: int, reason_of: ReasonOf) -> None:
    """Read the file of an import that was given, and weigh its lines; unless somebody else is at it."""
    with alone_with(pk) as is_ours:
        given = BlockImport.objects.filter(pk=pk, state=State.READING).first() if is_ours else None
        if given is not None:
            stage(given, _parts(given), reason_of)


def stage(
    given: BlockImport, chunks: Iterable[bytes], reason_of: ReasonOf, say: Callable[[Bad], None] = lambda _bad: None
) -> None:
    """Read all lines into the table where they wait, and weigh them. Blocks nothing. `say` hears of every bad line."""
    ImportRow.objects.filter(block_import=given).delete()
    layout, counted = Layout(), _Counted(chunks)
    figures: dict[str, Any] = {
        "lines": 0, "bad": 0, "bad_lines": [], "repeated": 0, "already": 0, "lifted_since": 0, "to_block": 0,
    }  # fmt: skip
    lines = read(counted, reason_of, layout)
    try:
        while some := list(islice(lines, STAGED_AT_ONCE)):
            _stage_some(given, some, figures, say)
            BlockImport.objects.filter(pk=given.pk).update(**figures, bytes_read=counted.bytes)
    except UnreadableListError as error:
        _end_reading(given, State.UNREADABLE, error=str(error), **figures)
        return
    _end_reading(given, State.READ, layout=layout.as_json(), **figures)


def confirm(pk: int) -> bool:
    """Let the blocking begin. Returns whether it was waiting for that."""
    is_ours = BlockImport.objects.filter(pk=pk, state=State.READ).update(state=State.BLOCKING)
    if is_ours:
        step(pk)
    return bool(is_ours)


def drop(pk: int) -> bool:
    """Forget the lines of an import that is not wanted. Returns whether that was still possible."""
    chosen = BlockImport.objects.filter(pk=pk, state__in=[State.READ, State.READING])
    is_ours = chosen.update(state=State.DROPPED, finished_at=timezone.now())
    if is_ours:
        _forget(pk)
    return bool(is_ours)


def step(pk: int) -> bool:
    """Block the next lines. Returns whether there may be more."""
    given = BlockImport.objects.filter(pk=pk, state=State.BLOCKING).first()
    if given is None:
        return False
    with connection.cursor() as cursor:
        cursor.execute(sql.MAKE_ADDRESSES, [_next_rows(given)])
    with transaction.atomic():
        mine = BlockImport.objects.select_for_update(no_key=True, skip_locked=True)
        now_given = mine.filter(pk=pk, state=State.BLOCKING).first()
        if now_given is None:
            return False  # it is done, or somebody else is at it
        has_more = now_given.done_to != given.done_to or _block_some(now_given)
    if not has_more:
        _forget(pk)
    return has_more


def carry_on(reason_of: ReasonOf) -> int:
    """Read what was given, and block what was confirmed, to the end. Returns how many chunks were blocked."""
    chunks = 0
    running = BlockImport.objects.filter(state__in=[State.READING, State.BLOCKING])
    for pk, state in running.order_by("pk").values_list("pk", "state"):
        if state == State.READING:
            read_given(pk, reason_of)
        while step(pk):
            chunks += 1
    return chunks


def _stage_some(
    given: BlockImport, some: list[BlockLine | Bad], figures: dict[str, Any], say: Callable[[Bad], None]
) -> None:
    good = [line for line in some if isinstance(line, BlockLine)]
    bad = [line for line in some if isinstance(line, Bad)]
    weighed = (0, 0, 0)
    if good:
        with connection.cursor() as cursor:
            cursor.execute(sql.STAGE, [given.pk, *columns(good)])
            weighed = cursor.fetchone()
    for each in bad:
        say(each)
    figures["lines"] += len(some)
    figures["bad"] += len(bad)
    figures["repeated"] += len(good) - sum(weighed)
    for name, count in zip(("already", "lifted_since", "to_block"), weighed, strict=True):
        figures[name] += count
    figures["bad_lines"] += bad[: MOST_BAD_KEPT - len(figures["bad_lines"])]


def _block_some(given: BlockImport) -> bool:
    rows, now = _next_rows(given), timezone.now()
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(sql.ADDRESSES_OF_ROWS, [rows])
            lock([pk for (pk,) in cursor.fetchall()])
            values: dict[str, Any] = {"rows": rows, "at": now, "cause": Cause.IMPORTED.value, "actor": given.actor_id}
            cursor.execute(sql.IMPORT_BLOCKS, values)
            blocked = cursor.fetchone()[0]
        BlockImport.objects.filter(pk=given.pk).update(blocked=F("blocked") + blocked, done_to=rows[-1])
    if len(rows) == CHUNK:
        return True
    BlockImport.objects.filter(pk=given.pk).update(state=State.DONE, finished_at=now)
    return False


def _next_rows(given: BlockImport) -> list[int]:
    waiting = ImportRow.objects.filter(block_import=given, pk__gt=given.done_to)
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:CHUNK])


def _end_reading(given: BlockImport, state: State, **figures: Any) -> None:
    """Unless it was dropped meanwhile."""
    BlockImport.objects.filter(pk=given.pk, state=State.READING).update(state=state, bytes_read=given.size, **figures)
    if state == State.UNREADABLE or not BlockImport.objects.filter(pk=given.pk, state=state).exists():
        ImportRow.objects.filter(block_import=given).delete()
    ImportPart.objects.filter(block_import=given).delete()


def _forget(pk: int) -> None:
    ImportPart.objects.filter(block_import=pk).delete()
    ImportRow.objects.filter(block_import=pk).delete()


def _parts(given: BlockImport) -> Iterator[bytes]:
    numbers = ImportPart.objects.filter(block_import=given).order_by("number").values_list("number", flat=True)
    for number in list(numbers):
        yield bytes(ImportPart.objects.get(block_import=given, number=number).body)
    if not numbers and given.size:
        raise UnreadableListError(_("Reading was stopped before its end. Start the import again."))


class _Counted:
    """The chunks, and how many bytes of them were taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self.bytes = chunks, 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.bytes += len(chunk)
            yield chunk


@contextmanager
def alone_with(pk: int) -> Iterator[bool]:
    """Whether nobody else reads this import; PostgreSQL sets it free by itself when a process dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, pk])
        is_ours = bool(cursor.fetchone()[0])
        try:
            yield is_ours
        finally:
            if is_ours:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK, pk])
