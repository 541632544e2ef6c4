"""A contact's messages of the last twelve months, by month, in one query."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count
from django.db.models.functions import TruncMonth
from django.utils import timezone

from contacts.models import Contact
from messaging.models import Message
from messaging.status.order import LOOKS, Look, Status

MONTHS: Final = 12
# From the ground of a column upwards.
STACK: Final = (Look.GOOD, Look.IDLE, Look.WARN, Look.BAD)


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """A part of a column, in messages: how many below it, and how many in it."""

    look: Look
    below: int
    count: int


@dataclass(frozen=True, slots=True)
class Month:
    """A column of the chart."""

    start: date
    parts: tuple[ColumnPart, ...]

    @property
    def total(self) -> int:
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True)
class Year:
    """Twelve columns, and how often each status occurs in all of them."""

    months: tuple[Month, ...]
    statuses: tuple[tuple[Status, int], ...]

    @property
    def highest(self) -> int:
        return max(month.total for month in self.months)

    @property
    def total(self) -> int:
        return sum(month.total for month in self.months)


def year_of(contact: Contact, now: datetime | None = None) -> Year:
    """The messages handed over in this month and the eleven before it."""
    starts = month_starts(timezone.localtime(now or timezone.now()).date())
    first = timezone.make_aware(datetime.combine(starts[0], datetime.min.time()))
    counted = (
        Message.objects.filter(contact=contact, sent_at__gte=first)
        .annotate(month=TruncMonth("sent_at"))
        .values_list("month", "status")
        .annotate(count=Count("*"))
        .order_by()
    )
    by_look: dict[date, Counter[Look]] = {start: Counter() for start in starts}
    by_status: Counter[Status] = Counter()
    for month, status, count in counted:
        by_look.get(timezone.localtime(month).date(), Counter())[LOOKS[Status(status)][0]] += count
        by_status[Status(status)] += count
    return Year(tuple(Month(start, stacked(by_look[start])) for start in starts), tuple(by_status.most_common()))


def stacked(counts: Counter[Look]) -> tuple[ColumnPart, ...]:
    parts, below = [], 0
    for look in STACK:
        if counts[look]:
            parts.append(ColumnPart(look, below, counts[look]))
            below += counts[look]
    return tuple(parts)


def month_starts(today: date) -> list[date]:
    """The first days of twelve months, the oldest first."""
    starts = [today.replace(day=1)]
    while len(starts) < MONTHS:
        starts.append((starts[-1] - timedelta(days=1)).replace(day=1))
    return starts[::-1]
