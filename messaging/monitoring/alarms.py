"""Alarms: about what providers report, or rather do not (silence, signatures that fail), about ways out, and about
Engage itself, where it is stuck.

A beat task looks every minute; that a way out is away, hand-over finds out (delivery/absence.py), and that workers take
up nothing, the beat. An alarm starts and ends by one conditional statement each, so however many workers look, each
start and each end is written to the log once. While nothing can be written, the broker keeps since when that is so.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection
from django.utils import timezone

from messaging.inbox.hourly_counts import hour_of
from messaging.ledger import sql
from messaging.models import Alarm, Tally
from messaging.monitoring import health, silence
from messaging.providers.registry import providers

log = logging.getLogger(__name__)
# Of what was said, no more is kept.
LONGEST: Final = 500
CLOSED: Final = "engage.closed_since"

HOUR: Final = timedelta(hours=1)
# After the second try in vain, and at most, between two looks whether a way out is there again.
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ProviderActivity:
    """What is known of one provider: the hours in which it reported, its last report, refusals in the last hour."""

    hours: frozenset[datetime] = frozenset()
    last_at: datetime | None = None
    refused: float = 0


def watch(now: datetime | None = None) -> int:
    """Start and end alarms. Returns how many are on."""
    now = now or timezone.now()
    if not _takes_writes(now):
        return 1
    # What waits in the inbox is not counted yet. So silence is judged as of when the oldest of it came.
    told_until = now - timedelta(seconds=health.lag_seconds())
    failing = {alarm.provider for alarm in current() if alarm.kind == Alarm.Kind.REFUSED}
    wanted = {
        (slug, kind)
        for slug, seen in look(now).items()
        if slug in providers() and providers()[slug].is_set_up()
        for kind in kinds_of(seen, told_until, is_failing=slug in failing)
    } | {(Alarm.ENGAGE, kind) for kind in stuck()}
    _end(wanted, now)
    _start(wanted, now)
    return len(wanted)


def current() -> list[Alarm]:
    """The alarms that are on, by provider."""
    return list(Alarm.objects.filter(ended_at=None).order_by("provider", "kind"))


def stuck() -> Iterable[Alarm.Kind]:
    """What of Engage itself does not move, as a worker sees it: one that runs this has taken up a task."""
    if health.standing_still():
        yield Alarm.Kind.STILL
    if health.lag_seconds() > health.STUCK_AFTER_SECONDS:
        yield Alarm.Kind.QUEUE


def watch_queue(seconds: float) -> None:
    """Start an alarm where no worker takes up anything; watch() ends it, which only a worker runs. For the beat, which
    has been at work for `seconds`: what it was not there to ask for, nobody could take up."""
    silent = health.silence_of_workers()
    if silent is not None and min(silent, seconds) > health.STUCK_AFTER_SECONDS:
        _start([(Alarm.ENGAGE, Alarm.Kind.QUEUE)], timezone.now())


def closed_since() -> datetime | None:
    """Since when nothing can be written; None where it can, or the broker is away."""
    with suppress(Exception):
        since = cache.get(CLOSED)
        return datetime.fromisoformat(since) if since else None
    return None


def _takes_writes(now: datetime) -> bool:
    try:
        check = health.database()
        is_good, says = check.is_good, check.says
    except Error as error:
        is_good, says = False, type(error).__name__
    if not is_good:
        if cache.add(CLOSED, now.isoformat(), timeout=None):
            log.error("Alarm: %s: %s %s", Alarm.ENGAGE, SAYS[Alarm.Kind.WRITES], says)
        return False
    since = closed_since()
    if since is not None and cache.delete(CLOSED):
        Alarm.objects.create(provider=Alarm.ENGAGE, kind=Alarm.Kind.WRITES, started_at=since, ended_at=now)
        log.warning("Alarm over: %s: %s", Alarm.ENGAGE, SAYS[Alarm.Kind.WRITES])
    return True


def begin_away(slug: str, cause: str, said: str) -> None:
    """Note that nothing leaves by that way out. `cause`: one of delivery/away.py's; `said`: without a secret."""
    of: Any = [slug, cause, said[:LONGEST], FIRST_WAIT, LONGEST_WAIT]
    with connection.cursor() as cursor:
        cursor.execute(sql.AWAY, of)
        noted = cursor.fetchone()
    if noted is not None and noted[0] == 1:
        log.error("Alarm: %s: nothing leaves: %s (%s).", slug, cause, said[:LONGEST])


def end_away(slug: str) -> bool:
    """Whether there was such an alarm, which is over now."""
    on = Alarm.objects.filter(provider=slug, kind=Alarm.Kind.AWAY, ended_at=None)
    if not on.update(ended_at=timezone.now()):
        return False
    log.warning("Alarm over: %s: messages leave again.", slug)
    return True


def next_try(slug: str) -> float | None:
    """In how many seconds a way out that is away may be tried, below 0 where it may; None where it is there."""
    with connection.cursor() as cursor:
        cursor.execute(sql.NEXT_TRY, [slug])
        found = cursor.fetchone()
    return None if found is None else float(found[0])


def away() -> list[Alarm]:
    """The ways out that are away, with why."""
    return [alarm for alarm in current() if alarm.kind == Alarm.Kind.AWAY]


def kinds_of(seen: ProviderActivity, told_until: datetime, *, is_failing: bool) -> Iterable[Alarm.Kind]:
    """Which alarms a provider gives reason for. `is_failing`: its signatures did before; that ends at half as many."""
    overdue = silence.overdue(seen.hours, seen.last_at, told_until) if seen.last_at else None
    if overdue is not None and overdue >= timedelta(minutes=settings.SILENCE_MINUTES):
        yield Alarm.Kind.SILENT
    if seen.refused >= settings.REFUSALS_PER_HOUR / (2 if is_failing else 1):
        yield Alarm.Kind.REFUSED


def look(now: datetime) -> dict[str, ProviderActivity]:
    """What the tallies of the last four weeks say, by provider."""
    rows: dict[str, list[Tally]] = {}
    for tally in Tally.objects.filter(hour__gt=hour_of(now) - silence.WINDOW - HOUR, hour__lte=now):
        rows.setdefault(tally.provider, []).append(tally)
    return {slug: _seen(tallies, now) for slug, tallies in rows.items()}


def _seen(tallies: Iterable[Tally], now: datetime) -> ProviderActivity:
    reporting = [tally for tally in tallies if tally.reports]
    last = max((tally.last_at for tally in reporting if tally.last_at), default=None)
    this_hour = hour_of(now)
    # Of the hour before, the part that lies within the last sixty minutes.
    parts = {this_hour: 1.0, this_hour - HOUR: 1 - (now - this_hour) / HOUR}
    refused = sum(tally.refused * parts.get(tally.hour, 0) for tally in tallies)
    return ProviderActivity(frozenset(tally.hour for tally in reporting), last, refused)


def _start(wanted: Iterable[tuple[str, str]], now: datetime) -> None:
    for slug, kind in sorted(wanted):
        with connection.cursor() as cursor:
            cursor.execute(sql.RAISE_ALARM, [slug, kind, now])
            is_new = cursor.rowcount == 1
        if is_new:
            log.warning("Alarm: %s: %s", slug, SAYS[Alarm.Kind(kind)])


def _end(wanted: Iterable[tuple[str, str]], now: datetime) -> None:
    for alarm in current():
        if alarm.kind == Alarm.Kind.AWAY or (alarm.provider, alarm.kind) in wanted:
            continue
        if Alarm.objects.filter(pk=alarm.pk, ended_at=None).update(ended_at=now):
            log.warning("Alarm over: %s: %s", alarm.provider, SAYS[Alarm.Kind(alarm.kind)])


# For the log, which is not translated.
SAYS: Final = {
    Alarm.Kind.SILENT: "it normally reports at this time, and has not.",
    Alarm.Kind.REFUSED: "the signatures of its reports fail again and again.",
    Alarm.Kind.STILL: f"of a send-out nothing has left for {health.STILL_AFTER_SECONDS // 60} minutes.",
    Alarm.Kind.QUEUE: f"nothing has moved in the queue for {health.STUCK_AFTER_SECONDS // 60} minutes.",
    Alarm.Kind.WRITES: "the database takes nothing that is to be written.",
}
