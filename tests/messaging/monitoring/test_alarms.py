"""Alarms start and end once each, are told to the log, and judge only what is known."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from messaging.delivery.email_routes import Direct
from messaging.models import Alarm, Report, SendOut, Tally
from messaging.monitoring import alarms, health
from messaging.tasks import watch_providers
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.monitoring.test_rhythm import hours_until
from tests.messaging.sendouts.people import make_send_out, run

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
    caplog.set_level(logging.WARNING, "messaging.monitoring.alarms")
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

    assert on() == [("engage", "queue")]


def test_the_beat_looks() -> None:
    assert watch_providers() == 0


@pytest.fixture
def still() -> SendOut:
    """A send-out that has something to hand over, of which nothing has left for eleven minutes."""
    make_contact()
    send_out = make_send_out(sender="news@engage.example")
    run(send_out)
    SendOut.objects.update(state_at=timezone.now() - timedelta(minutes=11))
    return send_out


@pytest.mark.usefixtures("groups")
def test_a_send_out_that_stands_still_is_an_alarm_that_ends_by_itself(
    still: SendOut, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        alarms.watch()
    assert on() == [("engage", "still")]
    page = log_in("Administrators").get(reverse("messaging:providers")).content.decode()
    assert "A send-out stands still" in page
    assert still.get_absolute_url() in page

    SendOut.objects.update(state="paused")
    for _ in range(2):
        alarms.watch()

    assert on() == []
    said = [record.message for record in caplog.records if record.name == "messaging.monitoring.alarms"]
    assert [each.partition(": ")[0] for each in said] == ["Alarm", "Alarm over"]


def test_one_whose_way_out_is_away_does_not_stand_still(still: SendOut, settings: Settings) -> None:
    settings.EMAIL_ROUTE = Direct("127.0.0.1", 1)
    alarms.begin_away("mx", "unreachable", "refused")
    alarms.watch()
    assert on() == [("mx", "away")]

    alarms.end_away("mx")
    alarms.watch()
    assert on() == [("engage", "still")]


def test_a_queue_that_does_not_move_is_an_alarm() -> None:
    Report.objects.create(provider="sendgrid", body=b"[]", next_at=timezone.now() - timedelta(minutes=6))
    alarms.watch()
    assert on() == [("engage", "queue")]

    Report.objects.all().delete()
    alarms.watch()
    assert on() == []


def test_the_beat_notices_that_no_worker_takes_up_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.delete(health.WORKER)
    alarms.watch_queue(10_000)
    assert on() == []  # none has been there yet
    cache.set(health.WORKER, 1.0, timeout=None)
    alarms.watch_queue(10)
    assert on() == []  # nobody was there to ask for anything
    alarms.watch_queue(10_000)
    assert on() == [("engage", "queue")]

    alarms.watch()
    assert on() == []


def test_a_database_that_takes_no_writes_is_logged_once_and_written_down_once_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache.delete(alarms.CLOSED)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        for _ in range(2):
            assert alarms.watch(NOW) == 1
        assert alarms.closed_since() == NOW
        transaction.set_rollback(True)

    alarms.watch(NOW + timedelta(minutes=3))

    alarm = Alarm.objects.get()
    assert (alarm.provider, alarm.kind) == ("engage", "writes")
    assert (alarm.started_at, alarm.ended_at) == (NOW, NOW + timedelta(minutes=3))
    assert alarms.closed_since() is None
    assert [record.message.partition(": ")[0] for record in caplog.records] == ["Alarm", "Alarm over"]
