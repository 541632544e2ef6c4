"""Alarms start and end once each, are told to the log, and judge only what is known."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from messaging import alarms, health
from messaging.models import Alarm, Tally
from messaging.tasks import watch_providers
from tests.messaging.test_rhythm import hours_until

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 14, 20, tzinfo=UTC)


def reported_until(last: datetime, provider: str = "sendgrid") -> None:
    hours = hours_until(last)
    Tally.objects.bulk_create(
        Tally(provider=provider, hour=hour, reports=5, last_at=min(hour + timedelta(minutes=59), last))
        for hour in hours
    )


def refused(count: int, at: datetime, provider: str = "sendgrid") -> None:
    hour = at.replace(minute=0)
    tally, _ = Tally.objects.get_or_create(provider=provider, hour=hour)
    Tally.objects.filter(pk=tally.pk).update(refused=count, refused_at=at)


def on() -> list[tuple[str, str]]:
    return [(alarm.provider, alarm.kind) for alarm in alarms.current()]


def test_silence_is_told_once_at_its_start_and_once_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "messaging.alarms")
    reported_until(NOW)
    alarms.watch(NOW + timedelta(minutes=30))
    assert on() == []

    for minutes in range(61, 90, 3):
        alarms.watch(NOW + timedelta(minutes=minutes))
    assert on() == [("sendgrid", "silent")]
    Tally.objects.create(
        provider="sendgrid", hour=NOW.replace(hour=16, minute=0), reports=1, last_at=NOW + timedelta(hours=2)
    )
    for minutes in range(121, 130, 3):
        alarms.watch(NOW + timedelta(minutes=minutes))

    assert on() == []
    assert [record.message.partition(": ")[0] for record in caplog.records] == ["Alarm", "Alarm over"]
    alarm = Alarm.objects.get()
    assert (alarm.started_at, alarm.ended_at) == (NOW + timedelta(minutes=61), NOW + timedelta(minutes=121))


def test_failing_signatures_raise_an_alarm_within_the_hour_and_it_ends_at_half_as_many(settings: Settings) -> None:
    settings.REFUSALS_PER_HOUR = 10
    refused(9, NOW)
    alarms.watch(NOW)
    assert on() == []

    refused(10, NOW)
    alarms.watch(NOW)
    assert on() == [("sendgrid", "refused")]
    # A quarter into the next hour, three quarters of the last one count.
    alarms.watch(NOW.replace(hour=15, minute=15))
    assert on() == [("sendgrid", "refused")]
    alarms.watch(NOW.replace(hour=15, minute=45))
    assert on() == []


def test_one_without_keys_raises_no_alarm(settings: Settings) -> None:
    reported_until(NOW - timedelta(hours=5))
    refused(100, NOW)
    alarms.watch(NOW)
    assert on() == [("sendgrid", "refused"), ("sendgrid", "silent")]

    settings.WEBHOOK_KEYS = {}
    alarms.watch(NOW)

    assert on() == []


def test_while_the_inbox_is_behind_nobody_is_called_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    reported_until(NOW)
    monkeypatch.setattr(health, "lag_seconds", lambda: 7200.0)

    alarms.watch(NOW + timedelta(hours=2))

    assert on() == []


def test_the_beat_looks() -> None:
    assert watch_providers() == 0
