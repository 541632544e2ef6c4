"""What speaks for and against an outage: shown to whoever decides on its blocks."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from contacts.models import Block, Outage
from messaging.suppression.outages import USUAL, BounceSpike, rate_of

EXAMPLES: Final = 8
WORDS: Final = 3
# No more blocks than this are looked through for what their servers said.
SOME: Final = 500
COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A part of the time line: from when, and how many living and other addresses bounced."""

    start: datetime
    living: int
    others: int


@dataclass(frozen=True, slots=True)
class OutageEvidence:
    """Figures, examples and words of the hard bounces of one outage; `rate` in per cent, sampled."""

    count: int
    living: int
    held: int
    first_at: datetime | None
    last_at: datetime | None
    usual_week: float
    rate: float | None
    timeline: list[Column]
    examples: list[Block]
    words: list[tuple[str, int]]

    @property
    def share(self) -> int:
        return round(100 * self.living / self.count) if self.count else 0

    @property
    def highest(self) -> int:
        return max((column.living + column.others for column in self.timeline), default=0)


def evidence_of(outage: Outage) -> OutageEvidence:
    blocks = Block.objects.filter(outage=outage)
    sums = blocks.aggregate(
        count=Count("pk"),
        living=Count("pk", filter=Q(alive_at__isnull=False)),
        held=Count("pk", filter=Q(held_at__isnull=False, ended_at=None)),
        first=Min("started_at"),
        last=Max("started_at"),
        low=Min("message_id"),
        high=Max("message_id"),
    )
    before = Block.objects.filter(
        domain=outage.domain,
        alive_at__isnull=False,
        started_at__gte=outage.from_at - USUAL,
        started_at__lt=outage.from_at,
    ).count()
    rate = None
    if sums["low"] is not None:
        rate = rate_of(BounceSpike(outage.domain, outage.from_at, outage.until_at, sums["low"], sums["high"]))
    return OutageEvidence(
        sums["count"], sums["living"], sums["held"], sums["first"], sums["last"],
        before / (USUAL / timedelta(weeks=1)), rate, _timeline(blocks, sums["first"], sums["last"]),
        list(blocks.select_related("address").order_by("-alive_at", "pk").exclude(alive_at=None)[:EXAMPLES]),
        _words(blocks),
    )  # fmt: skip


def _timeline(blocks: "QuerySet[Block, Any]", first: datetime | None, last: datetime | None) -> list[Column]:
    """The time from the first to the last in equal parts."""
    if first is None or last is None:
        return []
    width = max((last - first) / COLUMNS, timedelta(minutes=1))
    living: Counter[int] = Counter()
    others: Counter[int] = Counter()
    for at, alive_at in blocks.values_list("started_at", "alive_at").iterator(chunk_size=5_000):
        place = min(int((at - first) / width), COLUMNS - 1)
        (others if alive_at is None else living)[place] += 1
    return [Column(timezone.localtime(first + n * width), living[n], others[n]) for n in range(COLUMNS)]


def _words(blocks: "QuerySet[Block, Any]") -> list[tuple[str, int]]:
    """What the servers said most often, of some of them."""
    said = blocks.order_by("pk").values_list("diagnostic", flat=True)[:SOME]
    return Counter(words for words in said if words).most_common(WORDS)
