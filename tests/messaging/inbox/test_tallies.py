"""What arrives is counted once, in the hour of its receipt, whoever looks at it how often."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from messaging.inbox import hourly_counts, reports
from messaging.inbox.hourly_counts import Counted
from messaging.models import Report, Tally, UnlistedCode
from messaging.providers.base import UnmappedCode
from tests.messaging.conftest import make_message
from tests.messaging.inbox.test_reports import fact, kept

pytestmark = pytest.mark.django_db


def tally(provider: str = "sendgrid") -> dict[str, int]:
    names = ("reports", "events", "unreadable", "unmatched", "set_aside", "refused")
    rows = Tally.objects.filter(provider=provider).values(*names)
    return {name: sum(row[name] for row in rows) for name in names if any(row[name] for row in rows)}


def test_reports_and_events_are_counted_by_provider_and_hour() -> None:
    message = make_message()
    kept([fact(message, "delivered"), fact(message, "open", 2)])
    kept([fact(message, "click", 3)], age=timedelta(hours=2))
    kept(b"nonsense", provider="twilio")

    reports.apply_pending()

    assert tally() == {"reports": 2, "events": 3}
    assert tally("twilio") == {"reports": 1, "unreadable": 1}
    assert [found.hour for found in Tally.objects.filter(provider="sendgrid").order_by("hour")] == [
        hourly_counts.hour_of(report.received_at)
        for report in Report.objects.filter(provider="sendgrid").order_by("-pk")
    ]
    last = Tally.objects.filter(provider="sendgrid").latest("hour")
    assert last.last_at == Report.objects.filter(provider="sendgrid").earliest("pk").received_at


def test_a_replay_is_not_received_again() -> None:
    kept([fact(make_message(), "delivered")])
    kept(b"nonsense")
    for _ in range(3):
        reports.apply_pending()
        reports.replay(Report.objects.all())
    reports.apply_pending()

    assert tally() == {"reports": 2, "events": 1, "unreadable": 1}


def test_a_report_without_a_message_counts_once_as_waiting_and_once_as_set_aside(settings: Settings) -> None:
    kept([fact(make_message(), "delivered", engage="", sg_message_id="nobodys.1")])
    reports.apply_pending()
    assert tally() == {"reports": 1, "events": 1, "unmatched": 1}

    settings.UNMATCHED_RETRY_SECONDS = 0
    for _ in range(2):
        Report.objects.update(next_at=timezone.now())
        reports.apply_pending()
        reports.replay(Report.objects.all())
    reports.apply_pending()

    assert tally() == {"reports": 1, "events": 1, "unmatched": 1, "set_aside": 1}


def test_a_batch_that_is_rolled_back_has_counted_nothing() -> None:
    kept([fact(make_message(), "delivered")])

    with transaction.atomic():
        reports.apply_batch()
        transaction.set_rollback(True)
    assert tally() == {}

    reports.apply_pending()
    assert tally() == {"reports": 1, "events": 1}


def test_codes_that_a_table_lacks_are_counted_with_an_example() -> None:
    for number in range(3):
        last = kept(f"MessageSid=SM{number}&MessageStatus=failed&ErrorCode=39999".encode(), provider="twilio")
    kept(b"MessageSid=SM9&MessageStatus=failed&ErrorCode=30003", provider="twilio")
    Report.objects.update(content_type="application/x-www-form-urlencoded")
    reports.apply_pending()
    reports.replay(Report.objects.all())
    reports.apply_pending()

    found = UnlistedCode.objects.get()
    assert (found.provider, found.space, found.code, found.count, found.report_id) == (
        "twilio", "codes", "39999", 3, last.pk,
    )  # fmt: skip
    assert found.first_at < found.last_at


def test_a_provider_that_numbers_its_codes_does_not_fill_the_table() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def say(first: int, last: int) -> None:
        codes = [UnmappedCode("codes", str(number)) for number in range(first, last)]
        hourly_counts.count([Counted("twilio", 1, now, is_first=True, unmapped=codes)])

    say(0, 400)
    say(400, 600)
    say(600, 900)
    assert UnlistedCode.objects.count() == 600
    # What is known already goes on being counted.
    say(0, 1)
    assert UnlistedCode.objects.get(code="0").count == 2


@pytest.mark.django_db(transaction=True)
def test_workers_that_count_the_same_hours_in_any_order_neither_deadlock_nor_lose_any() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    slugs = [f"p{number}" for number in range(8)]
    errors: list[Exception] = []

    def work(order: int) -> None:
        try:
            for _ in range(30):
                mine = slugs if order % 2 else slugs[::-1]
                unmapped = [UnmappedCode("codes", code) for code in ("1", "2")[:: 1 if order % 2 else -1]]
                with transaction.atomic():
                    hourly_counts.count(
                        [Counted(slug, 1, now, is_first=True, events=2, unmapped=unmapped) for slug in mine]
                    )
        except Exception as error:  # noqa: BLE001 -- a thread's error fails no test by itself
            errors.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work, args=[order]) for order in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert not errors
    assert set(Tally.objects.values_list("reports", "events")) == {(120, 240)}
    assert set(UnlistedCode.objects.values_list("count", flat=True)) == {120}
