"""Whether everything is there and at work, as a load balancer or a monitor asks."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from messaging.models import Batch, Message, Report, SendOut, SlowDown
from messaging.monitoring import health
from messaging.tasks import heartbeat
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.people import make_send_out, run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def new_events() -> None:
    cache.delete_many([health.WORKER, health.BEAT])


def failing() -> list[str]:
    answer = Client().get("/readyz")
    assert answer.status_code == (200 if all(told["ok"] for told in answer.json().values()) else 503)
    return [name for name, told in answer.json().items() if not told["ok"]]


def test_alive_needs_no_log_in_and_no_database() -> None:
    assert Client().get("/healthz").content == b"ok\n"


def test_a_missing_worker_is_told_from_a_missing_beat() -> None:
    assert failing() == ["worker", "beat"]
    health.beat_heartbeat()
    assert failing() == ["worker"]
    heartbeat()
    assert failing() == []


def test_a_worker_fallen_silent_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    health.beat_heartbeat()
    monkeypatch.setattr("time.time", lambda: 1.0)
    health.worker_heartbeat()
    monkeypatch.undo()

    assert failing() == ["worker"]


def test_reports_that_wait_for_long_are_a_lag() -> None:
    health.beat_heartbeat()
    heartbeat()
    long_ago = timezone.now() - timedelta(minutes=5)
    Report.objects.create(provider="sendgrid", body=b"[]", next_at=long_ago)

    assert failing() == ["lag"]


def test_a_broker_that_is_away_is_named(settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}

    assert "broker" in failing()


def test_a_database_that_takes_nothing_that_is_written_is_no_good() -> None:
    """A standby, or one that was made read-only as its disk is full."""
    health.beat_heartbeat()
    heartbeat()
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")

    assert failing() == ["database"]


def test_a_send_out_of_which_nothing_leaves_stands_still_unless_somebody_asked_us_to_wait() -> None:
    health.beat_heartbeat()
    heartbeat()
    make_contact()
    send_out = make_send_out(sender="news@engage.example")
    run(send_out)
    assert failing() == []
    past = timezone.now() - timedelta(minutes=11)
    SendOut.objects.update(state_at=past)
    assert failing() == ["send_outs"]

    Batch.objects.update(claimed_at=timezone.now())  # a worker is at it
    assert failing() == []
    Batch.objects.update(claimed_at=None)
    Message.objects.update(sent_at=timezone.now())
    assert failing() == []
    Message.objects.update(sent_at=past)
    SlowDown.objects.create(
        send_out=send_out, provider="mx", domain="x.example", until=timezone.now() + timedelta(hours=1)
    )
    assert failing() == []
    SlowDown.objects.all().delete()
    SendOut.objects.update(state="paused")
    assert failing() == []
