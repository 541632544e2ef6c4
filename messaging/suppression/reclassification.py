"""Improved rules applied to the past: stored events are judged anew by the mail server's words that they keep.

Only failures of emails whose words a mail server spoke are judged, and only hard, soft and the reason change: a bounce
never becomes a delivery or a deferral. While the raw report is kept, it is read again, so that a provider's "never
hard" still counts. The table is read from front to back in pieces, each its own transaction: memory stays flat, and
whatever has been done is done; a run that was stopped is simply started again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from contacts.models import Channel
from messaging.bounces.classify import classify
from messaging.bounces.ways import is_only_unrouteable
from messaging.ledger import sql
from messaging.ledger.record import Revision
from messaging.models import Report
from messaging.providers.base import Raw
from messaging.providers.registry import providers
from messaging.sendouts.outcome import keeping
from messaging.status.order import Event, Kind, key_of
from messaging.suppression import follow

log = logging.getLogger(__name__)

# Pages of the table (8 kB each) that are read at once: some ten thousand events.
PAGES: Final = 400
WRITTEN_AT_ONCE: Final = 1_000
JUDGED: Final = (Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.DEFERRED)


class Stored(NamedTuple):
    """An event as it is stored (the columns of sql.STORED, in order)."""

    key: UUID
    message_id: int
    provider: str
    kind: str
    occurred_at: datetime
    reason: str
    reply_code: str
    status_code: str
    diagnostic: str
    report_id: int | None


@dataclass(slots=True)
class Differences:
    """How many events were looked at, and how many of each kind and reason became what."""

    events: int = 0
    changes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def add(self, before: Stored, after: Revision) -> None:
        self.changes[before.kind, before.reason, after.kind.value, after.reason] += 1

    def lines(self) -> list[str]:
        """Such as "soft bounce user_unknown -> hard bounce user_unknown: 12", the most first."""
        named = sorted(self.changes.items(), key=lambda item: (-item[1], item[0]))
        return [
            f"{Kind(kind).label.lower()} {reason or '-'} -> {Kind(new).label.lower()} {new_reason or '-'}: {count:,}"
            for (kind, reason, new, new_reason), count in named
        ]


def reclassify(
    *,
    is_dry_run: bool,
    provider: str = "",
    since: datetime | None = None,
    progress: Callable[[int, int], None] = lambda _done, _pages: None,
) -> Differences:
    """Judge the stored events anew, of one provider and recorded since then if told; change them unless it is dry."""
    differences = Differences()
    for chunk in _chunks(provider, since, progress):
        differences.events += len(chunk)
        changed = _by_provider([(before, after) for before in chunk if (after := judge(before)) is not None])
        for before, after in changed:
            differences.add(before, after)
        if not is_dry_run:
            _write([after for _before, after in changed])
    return differences


def judge(stored: Stored) -> Revision | None:
    """What the words mean by today's rules; None where that is what is stored."""
    verdict = classify(stored.diagnostic, reply_code=stored.reply_code, status_code=stored.status_code)
    # Words that no rule knows say nothing: then the provider's word had decided, and that is not kept.
    if verdict.reason == "unknown":
        return None
    # Hard or soft by who said it, which is not kept beside the words.
    if is_only_unrouteable(stored.diagnostic):
        return None
    kind = Kind(stored.kind)
    if kind != Kind.DEFERRED:
        kind = Kind.HARD_BOUNCE if verdict.is_hard else Kind.SOFT_BOUNCE
    if (kind, verdict.reason) == (stored.kind, stored.reason):
        return None
    return Revision(stored.key, stored.message_id, kind, verdict.reason, verdict.certainty)


def _chunks(provider: str, since: datetime | None, progress: Callable[[int, int], None]) -> Iterator[Sequence[Stored]]:
    """By place in the table, which needs no index and is as fast as the disk; what is added meanwhile is new anyway."""
    with connection.cursor() as cursor:
        cursor.execute(sql.EVENT_PAGES)
        pages = int(cursor.fetchone()[0])
    for page in range(0, pages, PAGES):
        asked = {
            "first": f"({page},0)", "last": f"({page + PAGES},0)", "kinds": list(JUDGED), "channel": Channel.EMAIL,
            "provider": provider, "since": since,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(sql.STORED, asked)
            rows = [Stored(*row) for row in cursor.fetchall()]
        yield rows
        progress(min(page + PAGES, pages), pages)


def _by_provider(changed: Sequence[tuple[Stored, Revision]]) -> list[tuple[Stored, Revision]]:
    """Where the raw report is still kept, what reading it gives today: a provider's own word may say "never hard"."""
    wanted = {before.report_id for before, _after in changed if before.report_id is not None}
    read: dict[UUID, Event] = {}
    for report in Report.objects.filter(pk__in=wanted).iterator(chunk_size=1):
        for event in _events_of(report):
            # The key names the kind that was read once, which may have been any of these.
            read |= {key_of(replace(event, kind=kind)): event for kind in JUDGED}
    found = []
    for before, after in changed:
        told = read.get(before.key)
        now = after
        if told is not None:
            now = Revision(before.key, before.message_id, told.kind, told.reason, told.certainty)
        if (now.kind, now.reason) != (before.kind, before.reason):
            found.append((before, now))
    return found


def _events_of(report: Report) -> list[Event]:
    """What the report says today, as far as it can be read."""
    provider = providers().get(report.provider)
    if provider is None:
        return []
    raw = Raw(bytes(report.body), report.content_type, report.path, report.received_at, report.headers)
    try:
        return [event for event in provider.parse(raw).events if event.kind in JUDGED]
    except Exception as error:  # noqa: BLE001 -- then the words that were kept decide
        log.warning("Report %s of %s cannot be read: %s", report.pk, report.provider, type(error).__name__)
        return []


def _write(changed: Sequence[Revision]) -> None:
    """In chunks by message; each a transaction, in the order in which everybody takes locks."""
    ordered = sorted(changed, key=lambda each: (each.message_id, each.key))
    for start in range(0, len(ordered), WRITTEN_AT_ONCE):
        chunk = ordered[start : start + WRITTEN_AT_ONCE]
        with transaction.atomic():
            follow.revise(chunk)
            keeping.hold()
            keeping.mark({each.message_id for each in chunk})
