"""How a send-out came out over time: lines that only rise, as an SVG of the server's, and the same as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Sum
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from messaging.models import SendOut
from messaging.sendouts.outcome.models import Heard

WIDTH: Final = 600
HEIGHT: Final = 160
HOUR: Final = timedelta(hours=1)
# Rows of the table, in hours since the start.
MARKS: Final = (1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 720, 2160, 8760)
# What each line counts: of Heard, the figures that it sums.
LINES: Final[tuple[tuple[str, str | Promise, frozenset[str]], ...]] = (
    ("delivered", _("Delivered, as reported"), frozenset({"delivered"})),
    ("opened", _("Opened by people"), frozenset({"readers"})),
    ("clicked", _("Clicked by people"), frozenset({"clickers"})),
    ("bounced", _("Bounced or given up"), frozenset({"soft_bounce", "hard_bounce", "failed", "expired", "gave_up"})),
)

Counts = Mapping[datetime, Sequence[int]]


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line: its name for CSS, its words, how many in the end, and its points in the SVG."""

    name: str
    label: str | Promise
    total: int
    points: str


@dataclass(frozen=True, slots=True)
class Chart:
    """From the start until what was heard last. `rows`: until when, and how many of each line by then."""

    lines: list[ChartLine]
    rows: list[tuple[datetime, list[int]]]
    start: datetime
    end: datetime
    highest: int


def chart_of(send_out: SendOut, now: datetime | None = None) -> Chart | None:
    """None where nothing was heard yet that a line could show."""
    by_hour = _heard(send_out)
    if not by_hour:
        return None
    start = floor(min(send_out.started_at or send_out.created_at, *by_hour))
    end = max(by_hour) + HOUR
    totals = [sum(each[place] for each in by_hour.values()) for place in range(len(LINES))]
    highest = max(totals)
    lines = [
        ChartLine(name, label, totals[place], _points(by_hour, place, start, end, highest))
        for place, (name, label, _figures) in enumerate(LINES)
        if totals[place]
    ]
    return Chart(lines, _rows(by_hour, start, end), start, min(end, now or timezone.now()), highest)


def _heard(send_out: SendOut) -> dict[datetime, list[int]]:
    """By the hour, in order: how many of each line."""
    found: dict[datetime, list[int]] = {}
    rows = Heard.objects.filter(send_out=send_out).values_list("hour", "figure").annotate(n=Sum("messages"))
    for hour, figure, n in rows.order_by("hour"):
        for place, (_name, _label, figures) in enumerate(LINES):
            if figure in figures and n:
                found.setdefault(hour, [0] * len(LINES))[place] += n
    return found


def _points(by_hour: Counts, place: int, start: datetime, end: datetime, highest: int) -> str:
    """What happened within an hour stands at its end."""
    total, points = 0, [f"0,{HEIGHT}"]
    for hour, counts in by_hour.items():
        total += counts[place]
        points.append(f"{WIDTH * ((hour + HOUR - start) / (end - start)):.1f},{HEIGHT - HEIGHT * total / highest:.1f}")
    return " ".join(points)


def _rows(by_hour: Counts, start: datetime, end: datetime) -> list[tuple[datetime, list[int]]]:
    found = []
    for hours in MARKS:
        until = start + hours * HOUR
        earlier = [counts for at, counts in by_hour.items() if at < until]
        found.append((min(until, end), [sum(counts[place] for counts in earlier) for place in range(len(LINES))]))
        if until >= end:
            break
    return found


def floor(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
