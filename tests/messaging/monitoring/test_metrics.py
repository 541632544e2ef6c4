"""Figures for Prometheus: for who has the token, and as the database has them."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from messaging.inbox.hourly_counts import hour_of
from messaging.models import Alarm, Message, Report, Tally
from messaging.monitoring import health, metrics
from tests.messaging.conftest import make_message

pytestmark = pytest.mark.django_db
TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.fixture(autouse=True)
def token(settings: Settings) -> None:
    settings.METRICS_TOKEN = "s3cret"


def scraped() -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    answer = Client().get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


@pytest.mark.parametrize("given", [None, "", "s3cret", "Bearer", "Bearer wrong", "Bearer s3cret ", "Bearer ä"])
def test_nobody_reads_them_without_the_token(given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given}

    answer = Client().get("/metrics", headers=headers)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_without_a_token_set_there_is_no_such_page(settings: Settings) -> None:
    settings.METRICS_TOKEN = ""

    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_totals_are_over_all_hours_by_provider() -> None:
    now = timezone.now()
    for hours in (0, 3, 5000):
        at = now - timedelta(hours=hours)
        Tally.objects.create(
            provider="sendgrid", hour=hour_of(at), last_at=at, reports=10, events=40, unreadable=1, refused=2,
            unmatched=4, set_aside=3,
        )  # fmt: skip

    found = scraped()

    assert {name: found[name, "sendgrid"] for name in found_names(found, "sendgrid")} == {
        "engage_reports_total": 30, "engage_report_events_total": 120, "engage_reports_unreadable_total": 3,
        "engage_reports_unmatched_total": 12, "engage_reports_set_aside_total": 9, "engage_reports_refused_total": 6,
        "engage_mail_dropped_total": 0, "engage_mail_put_off_total": 0,
        "engage_last_report_timestamp_seconds": pytest.approx(now.timestamp()),
    }  # fmt: skip


def found_names(found: dict[tuple[str, ...], float], provider: str) -> list[str]:
    return [key[0] for key in found if key[1:] == (provider,)]


def test_alarms_are_0_or_1_for_each_provider_that_is_set_up() -> None:
    Alarm.objects.create(provider="sendgrid", kind="silent", started_at=timezone.now())

    found = {key[1:]: value for key, value in scraped().items() if key[0] == "engage_alarm"}

    assert found == {
        ("silent", "sendgrid"): 1, ("refused", "sendgrid"): 0, ("silent", "twilio"): 0, ("refused", "twilio"): 0,
        ("still", "engage"): 0, ("queue", "engage"): 0, ("writes", "engage"): 0,
    }  # fmt: skip


def test_inbox_overdue_messages_and_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_COUNTED", 3)
    cache.delete_many([health.WORKER, health.BEAT])
    health.worker_heartbeat()
    long_ago = timezone.now() - timedelta(minutes=5)
    for _ in range(5):
        Report.objects.create(provider="sendgrid", body=b"[]", next_at=long_ago)
    make_message()
    Message.objects.update(due_at=long_ago)

    found = scraped()

    assert found["engage_inbox_reports",] == 3
    assert found["engage_inbox_lag_seconds",] == pytest.approx(300, abs=30)
    assert found["engage_messages_overdue",] == 1
    assert found["engage_heartbeat_age_seconds", "worker"] == pytest.approx(0, abs=30)
    assert ("engage_heartbeat_age_seconds", "beat") not in found


def test_a_broker_that_is_away_takes_only_the_heartbeats_along(settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}

    found = scraped()

    assert ("engage_inbox_reports",) in found
    assert not [key for key in found if key[0] == "engage_heartbeat_age_seconds"]


def test_a_scrape_is_a_handful_of_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_max_num_queries(8):
        scraped()
