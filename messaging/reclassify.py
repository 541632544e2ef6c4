"""Improved rules applied to the past: stored events are judged anew by the mail server's words that they keep.

Only failures of emails whose words a mail server spoke are judged. What a provider's own word had said stays the frame:
a report that it could not deliver is never turned into a delivery or a deferral, only hard, soft and the reason change.
The raw report is no longer needed. The table is read from front to back in pieces, each its own transaction: memory
stays flat, and whatever has been done is done; a run that was stopped is simply started again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from contacts.models import Channel
from messaging import apply, sql
from messaging.bounces.classify import classify
from messaging.statuses import Kind

# Pages of the table (8 kB each) that are read at once: some ten thousand events.
PAGES: Final = 400
WRITTEN_AT_ONCE: Final = 1_000
JUDGED: Final = (Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.DEFERRED)


class Stored(NamedTuple):
    """An event as it is stored (the columns of sql.STORED, in order)."""

    key: UUID
    message_id: int
    kind: str
    reason: str
    reply_code: str
    status_code: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What an event is now said to be."""

    key: UUID
    message_id: int
    kind: Kind
    reason: str


@dataclass(slots=True)
class Differences:
    """How many events were looked at, and how many of each kind and reason became what."""

    events: int = 0
    changes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def add(self, before: Stored, after: Judged) -> None:
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
        changed = [(before, after) for before in chunk if (after := judge(before)) is not None]
        for before, after in changed:
            differences.add(before, after)
        if not is_dry_run:
            _write([after for _before, after in changed])
    return differences


def judge(stored: Stored) -> Judged | None:
    """What the words mean by today's rules; None where that is what is stored."""
    verdict = classify(stored.diagnostic, reply_code=stored.reply_code, status_code=stored.status_code)
    # Words that no rule knows say nothing: then the provider's word had decided, and that is not kept.
    if verdict.reason == "unknown":
        return None
    kind = Kind(stored.kind)
    if kind != Kind.DEFERRED:
        kind = Kind.HARD_BOUNCE if verdict.is_hard else Kind.SOFT_BOUNCE
    if (kind, verdict.reason) == (stored.kind, stored.reason):
        return None
    return Judged(stored.key, stored.message_id, kind, verdict.reason)


def _chunks(
    provider: str, since: datetime | None, progress: Callable[[int, int], None]
) -> Iterator[Sequence[Stored]]:
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


def _write(changed: Sequence[Judged]) -> None:
    """In chunks of messages, so that all events of a message are changed at once."""
    ordered = sorted(changed, key=lambda each: (each.message_id, each.key))
    for start in range(0, len(ordered), WRITTEN_AT_ONCE):
        some = ordered[start : start + WRITTEN_AT_ONCE]
        with transaction.atomic():
            apply.revise([apply.Revised(each.key, each.message_id, each.kind, each.reason) for each in some])
