"""When a provider is silent: judged against what is usual for it at that time of the week."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.monitoring.silence import HOUR, overdue

# A Tuesday.
NOW = datetime(2026, 11, 24, 14, tzinfo=UTC)
ALARM = timedelta(minutes=60)


def hours_until(
    last: datetime, *, days: int = 28, usual: Iterable[int] = range(24), weekend: bool = True
) -> set[datetime]:
    """The hours with reports, up to that of `last`: those of the day in `usual`."""
    whole = last.replace(minute=0)
    found = (whole - HOUR * ago for ago in range(24 * days))
    return {hour for hour in found if hour.hour in usual and (weekend or hour.weekday() < 5)}


def is_silent(hours: set[datetime], last: datetime, now: datetime) -> bool:
    found = overdue(hours, last, now)
    return found is not None and found >= ALARM


@pytest.mark.parametrize(("minutes", "is_alarm"), [(30, False), (59, False), (60, True), (600, True)])
def test_one_that_reports_around_the_clock_is_missed_after_the_minutes_that_are_set(
    minutes: int, is_alarm: bool
) -> None:
    last = NOW - timedelta(minutes=minutes)

    assert is_silent(hours_until(last), last, NOW) is is_alarm


def test_nights_and_weekends_are_no_silence() -> None:
    friday = datetime(2026, 11, 20, 17, 55, tzinfo=UTC)
    hours = hours_until(friday, usual=range(8, 18), weekend=False)

    assert not is_silent(hours, friday, friday + timedelta(hours=13))
    assert not is_silent(hours, friday, datetime(2026, 11, 23, 8, 30, tzinfo=UTC))
    # Monday morning, an hour and a bit into what is usual.
    assert is_silent(hours, friday, datetime(2026, 11, 23, 9, 10, tzinfo=UTC))


def test_a_pause_as_it_happened_before_is_no_silence() -> None:
    last = NOW - timedelta(hours=5)
    earlier = {NOW - timedelta(days=6) - HOUR * each for each in range(6)}

    assert not is_silent(hours_until(last) - earlier, last, NOW)
    assert is_silent(hours_until(last) - earlier, last, NOW + timedelta(hours=4))


def test_one_that_reports_now_and_then_is_no_normal_reporter() -> None:
    last = NOW - timedelta(days=3)
    weekly = {last - timedelta(weeks=week) + HOUR * hour for week in range(4) for hour in range(6)}

    assert overdue(weekly, last, NOW) is None


def test_a_new_one_is_not_judged_for_two_weeks() -> None:
    last = NOW - timedelta(hours=20)

    assert overdue(hours_until(last, days=12), last, NOW) is None
    assert is_silent(hours_until(last, days=14), last, NOW)


def test_one_that_was_given_up_is_forgotten() -> None:
    last = NOW - timedelta(days=27)

    assert overdue(hours_until(last), last, NOW) is None
    assert overdue(set(), last, NOW) is None


@given(st.sets(st.integers(0, 24 * 28), min_size=1), st.integers(0, 24 * 60))
def test_the_longer_it_is_quiet_the_more_it_is_overdue(ago: set[int], minutes: int) -> None:
    last = NOW
    hours = {NOW - HOUR * each for each in ago} | {NOW}

    sooner = overdue(hours, last, NOW + timedelta(minutes=30))
    within = overdue(hours, last, NOW + timedelta(minutes=30 + minutes % 30))

    assert (sooner is None) == (within is None)
    assert sooner is None or (within is not None and within >= sooner)
