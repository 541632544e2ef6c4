"""Keeping what became of send-outs, in the background: nobody who hands over or takes reports does anything for it.

What changed is found by the events that were recorded since the last look; each is read once, when no earlier one can
turn up any more (sql.HORIZON). It says which stretches of messages to count anew, and what to add to Heard.
"""

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from messaging.models import Progress, SendOut
from messaging.sendouts.outcome import sql
from messaging.sendouts.outcome.models import STRETCH, Outcome, ReadUpTo
from messaging.status.order import EPOCH, Status

# A look takes about so long, of the seconds between two of them: the rest of the machine is for reports.
SECONDS: Final = 1.0
MARGIN: Final = timedelta(seconds=1)
# What was recorded is read by so much time at once; longer, where little was.
STEP: Final = timedelta(seconds=10)
FEW: Final = 20_000
# Stretches are counted, and new send-outs taken up, so many at once.
AT_ONCE: Final = 8
NEW_AT_ONCE: Final = 8
# So many receiving domains are told apart.
DOMAINS: Final = 12
# What became of these has a reason that somebody gave; of Unknown, those in doubt have one.
REASONED: Final = (
    Status.SOFT_BOUNCE, Status.HARD_BOUNCE, Status.DEFERRED, Status.FAILED, Status.EXPIRED, Status.UNKNOWN,
)  # fmt: skip


def look(seconds: float = SECONDS, margin: timedelta = MARGIN) -> int:
    """Count what changed, for about so long; what is left over is next. Returns how many stretches were counted.

    One transaction, so pages see all of it or nothing. Harmless at once: one looks, the others return.
    """
    deadline = time.monotonic() + seconds
    with transaction.atomic():
        if not _one(sql.TRY_LOOKING):
            return 0
        until = _one(sql.HORIZON, [margin])
        since = _read_up_to(until)
        for pk in _numbers(sql.NEW_SEND_OUTS, [NEW_AT_ONCE]):
            _begin(pk, since)
        reached = _read_news(since, until, deadline - seconds / 2)
        ReadUpTo.objects.update(until=reached)
        return _count(since, deadline)


def as_of(send_out_id: int) -> datetime | None:
    """Up to when all is counted of a send-out; None where nobody has looked yet."""
    row = _row(sql.AS_OF, [send_out_id])
    return row[0] if row else None


def recount(send_out_id: int) -> None:
    """Count anew what became of a send-out, from its messages and from those of its events that are still kept."""
    with transaction.atomic():
        hold()
        since = _read_up_to(_one(sql.HORIZON, [MARGIN]))
        Outcome.objects.get_or_create(pk=send_out_id)
        _begin(send_out_id, since)
        _execute(sql.MARK_KNOWN, [since, send_out_id])
        _count(since, None)


def hold() -> None:
    """Let nobody look until the end of the transaction. To be called after all that is locked of messages, addresses
    and contacts: who looks waits for none of these, so nobody waits in a circle."""
    _execute(sql.LOCK_LOOKING)


def mark(messages: Collection[int]) -> None:
    """Have these counted anew: for who changes messages without an event, in the same transaction, after `hold`."""
    _execute(sql.MARK_MESSAGES, [STRETCH, list(messages)])


def unhear(messages: Collection[int]) -> None:
    """Take away what was counted of the opens and clicks of these messages, before their events change; after `hold`.
    Then `hear` counts what they are by then."""
    _hear(sql.UNHEAR, messages)


def hear(messages: Collection[int]) -> None:
    """Count the opens and clicks of these messages anew, see `unhear`."""
    _hear(sql.HEAR, messages)


def _hear(statement: str, messages: Collection[int]) -> None:
    # What was recorded later is news.
    until = ReadUpTo.objects.values_list("until", flat=True).first()
    if until is not None:
        _execute(statement, {"messages": list(messages), "until": until, "since": EPOCH})


def _read_up_to(until: datetime) -> datetime:
    """Up to when all events are counted; `until`, where nobody has counted yet."""
    return ReadUpTo.objects.get_or_create(pk=ReadUpTo.ONLY, defaults={"until": until})[0].until


def _begin(send_out_id: int, since: datetime) -> None:
    """Take up a send-out with all that was recorded of it before `since`; what came later is news."""
    _execute(sql.MARK_ALL, {"send_out": send_out_id, "size": STRETCH, "at": since})
    last = Progress.objects.filter(pk=send_out_id).values_list("last_message", flat=True).first()
    _rank(send_out_id, last)
    if _are_events_kept(send_out_id):
        _execute(sql.FORGET_HEARD, [send_out_id])
        _execute(sql.COUNT_HEARD, {"send_out": send_out_id, "until": since, "since": EPOCH})


def _are_events_kept(send_out_id: int) -> bool:
    """Whether none of its events can have gone with age."""
    days = settings.EVENT_RETENTION_DAYS
    made = SendOut.objects.values_list("created_at", flat=True).get(pk=send_out_id)
    return not days or made > timezone.now() - timedelta(days=days)


def _read_news(since: datetime, until: datetime, deadline: float) -> datetime:
    """Returns up to when all was read."""
    step = STEP
    while since < until:
        end = min(since + step, until)
        is_little = _one(sql.READ_NEWS, {"since": since, "until": end, "size": STRETCH}) < FEW
        since, step = end, step * 2 if is_little else STEP
        if time.monotonic() > deadline:
            break
    return since


def _count(since: datetime, deadline: float | None) -> int:
    """Count the stretches that changed, those first that have waited longest, and sum up. None: all of them."""
    _execute(sql.MARK_ROWS, {"at": since, "size": STRETCH})
    _rank_grown(since)
    counted, touched = 0, set[int]()
    while deadline is None or not counted or time.monotonic() < deadline:
        done = _numbers(sql.COUNT_STRETCHES, {"limit": AT_ONCE, "size": STRETCH, "reasoned": list(REASONED)})
        counted += len(done)
        touched.update(done)
        if len(done) < AT_ONCE:
            break
    _execute(sql.SUM_UP, [sorted(touched)])
    return counted


def _rank_grown(since: datetime) -> None:
    """Choose the domains once all rows are made; until then those of the first messages do."""
    with connection.cursor() as cursor:
        cursor.execute(sql.TO_RANK)
        grown = cursor.fetchall()
    for pk, last, known in grown:
        if _rank(pk, last) != known:
            _execute(sql.MARK_KNOWN, [since, pk])


def _rank(send_out_id: int, last: int | None) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql.RANK, [send_out_id, DOMAINS])
        domains = [domain for (domain,) in cursor.fetchall()]
    Outcome.objects.filter(pk=send_out_id).update(domains=domains, ranked_until=last)
    return domains


def _row(statement: str, parameters: Any = ()) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def _one(statement: str, parameters: Any = ()) -> Any:
    row = _row(statement, parameters)
    return row[0] if row else None


def _numbers(statement: str, parameters: Any) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [pk for (pk,) in cursor.fetchall()]


def _execute(statement: str, parameters: Any = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
