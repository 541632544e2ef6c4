"""Whether everything is there and at work, as a load balancer or a monitor asks."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from messaging import health
from messaging.models import Report
from messaging.tasks import heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
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
