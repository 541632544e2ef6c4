"""Is a provider silent? It is, once it has been quiet for longer than it ever is.

Hours of the week are what repeats: nights, weekends, the morning of the newsletter. So an hour of quiet weighs as much
as it is unusual at that time of the week: one in which reports came in each of the last four weeks weighs an hour, one
in which they came in two of them half an hour, one in which they never come nothing. A provider is overdue by what its
quiet weighs more than the heaviest quiet of the last four weeks. Pure: no clock, no database.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(weeks=1)
# What is looked back at.
WINDOW: Final = 4 * WEEK
# Before this, a provider's rhythm is not known.
KNOWN_AFTER: Final = 2 * WEEK
# One that reports in fewer hours than these of the window has no rhythm that it could break.
FEWEST_HOURS: Final = 48


def overdue(hours: Collection[datetime], last_at: datetime, now: datetime) -> timedelta | None:
    """By how much reports are overdue; None where the provider is not one that normally reports.

    `hours` are the starts of the hours in which it reported, `last_at` its last report; all aware UTC.
    """
    this_hour = _start(now)
    window = {hour for hour in hours if this_hour - WINDOW <= hour < this_hour}
    if len(window) < FEWEST_HOURS or min(window) > this_hour - KNOWN_AFTER:
        return None
    # The quiet that is judged does not make itself usual.
    weights = _weights(window, min(this_hour, _start(last_at) + HOUR))
    return _quiet(weights, last_at, now) - _heaviest(window, weights)


def _weights(window: Collection[datetime], until: datetime) -> Mapping[int, float]:
    """In which part of the weeks since its first report it reported in this hour of the week."""
    first = min(window)
    reported = Counter(_hour_of_week(hour) for hour in window)
    lived: Counter[int] = Counter()
    hour = first
    while hour < until:
        lived[_hour_of_week(hour)] += 1
        hour += HOUR
    return {place: reported[place] / weeks for place, weeks in lived.items()}


def _quiet(weights: Mapping[int, float], start: datetime, end: datetime) -> timedelta:
    """What the quiet from `start` to `end` weighs."""
    total, hour = timedelta(), _start(start)
    while hour < end:
        part = min(end, hour + HOUR) - max(start, hour)
        total += part * weights.get(_hour_of_week(hour), 0)
        hour += HOUR
    return total


def _heaviest(window: Collection[datetime], weights: Mapping[int, float]) -> timedelta:
    """The heaviest quiet between two hours with reports."""
    pauses = (_quiet(weights, one + HOUR, other) for one, other in pairwise(sorted(window)))
    return max(pauses, default=timedelta())


def _start(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _hour_of_week(hour: datetime) -> int:
    return hour.weekday() * 24 + hour.hour
