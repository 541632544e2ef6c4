"""A report that takes its worker down is tried alone and then set aside; all others get through."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.utils import timezone
from pytest_django import Settings

from contacts.models import Channel
from engage.local.bootstrap import BASE_DIR
from messaging.inbox import claims, reports
from messaging.inbox.reparse import contents_of
from messaging.ledger.record import Recorded, SourcedEvent, record
from messaging.models import Claim, Message, Report
from tests.messaging.conftest import make_message
from tests.messaging.inbox.test_reports import fact, kept

KILLER = b'"kills its worker"'


def worker(database_url: str) -> int:
    """The real task in a process, seconds later; how it ended."""
    Claim.objects.filter(taken_at__isnull=False).update(taken_at=timezone.now() - timedelta(minutes=1))
    command = [sys.executable, "-m", "tests.messaging.killing"]
    ended = subprocess.run(command, cwd=BASE_DIR, env=os.environ | {"DATABASE_URL": database_url}, check=False)
    return ended.returncode


@pytest.mark.parametrize("others", [0, 3])
def test_a_report_that_kills_its_worker_is_tried_alone_and_then_set_aside(others: int, database_url: str) -> None:
    messages = [make_message() for _ in range(others)]
    before = [kept([fact(message, "delivered")]) for message in messages]
    killer = kept(KILLER)
    late = make_message()

    ends = [worker(database_url)]
    after = kept([fact(late, "delivered")])
    while killer.state == Report.State.NEW and len(ends) < 12:
        ends.append(worker(database_url))
        killer.refresh_from_db()

    assert ends == [*[-signal.SIGKILL] * 5, 0]
    assert killer.state == Report.State.UNREADABLE
    assert killer.error == "Reading it took down its worker 5 times, at last when it was read alone."
    assert all(Report.objects.get(pk=each.pk).state == Report.State.APPLIED for each in [*before, after])
    assert all(message.status == "delivered" for message in Message.objects.all())
    assert not Claim.objects.exists()


def test_two_reports_that_kill_are_both_found_among_those_that_do_not(database_url: str) -> None:
    first, message, second = kept(KILLER), make_message(), kept(KILLER)
    good = kept([fact(message, "delivered")])

    ends = [worker(database_url)]
    while ends[-1] and len(ends) < 12:
        ends.append(worker(database_url))

    states = [Report.objects.get(pk=each.pk).state for each in (first, second, good)]
    assert states == ["unreadable", "unreadable", "applied"]
    assert len(ends) - 1 == 1 + 2 * (claims.MOST_DEATHS - 1)


def test_a_report_that_was_set_aside_so_can_be_replayed_and_is_counted_once_more(database_url: str) -> None:
    killer = kept(KILLER)
    for _ in range(claims.MOST_DEATHS + 1):
        worker(database_url)
    killer.refresh_from_db()
    assert killer.state == Report.State.UNREADABLE

    reports.replay(Report.objects.filter(pk=killer.pk))

    assert worker(database_url) == -signal.SIGKILL


@pytest.mark.django_db
def test_support_does_not_read_again_what_took_workers_down(monkeypatch: pytest.MonkeyPatch) -> None:
    killer = kept(KILLER)
    killer.error = f"{claims.TOOK_DOWN} 3 times, at last when it was read alone."

    assert contents_of(killer).problems == ["It is not read here, since it would take down this page, too."]


@pytest.mark.django_db
def test_what_another_worker_has_claimed_is_left_to_it() -> None:
    kept([fact(make_message(), "delivered")])
    assert claims.claim().number

    assert claims.claim() == (None, False)
    assert claims.claim_left() is None


@pytest.mark.django_db
def test_a_claim_that_was_taken_meanwhile_is_not_worked_on() -> None:
    report = kept([fact(make_message(), "delivered")])
    number = claims.claim().number
    assert number
    Claim.objects.all().delete()

    assert claims.hold(number) == []
    report.refresh_from_db()
    assert report.state == Report.State.NEW


@pytest.mark.django_db(transaction=True)
def test_a_claim_is_held_for_as_long_as_its_worker_works(settings: Settings) -> None:
    kept([fact(make_message(), "delivered")])
    number = claims.claim().number
    assert number
    Claim.objects.update(taken_at=timezone.now() - timedelta(hours=1))
    other = connections["default"].copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("DELETE FROM messaging_claim WHERE id = %s", [number])

        assert claims.claim_left() is None

        cursor.execute("ROLLBACK")
    other.close()
    found = claims.claim_left()
    assert found is not None
    assert (found.number, found.deaths) == (number, 1)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_is_no_death(monkeypatch: pytest.MonkeyPatch) -> None:
    report = kept([fact(make_message(), "delivered")])

    def fail(_said: object) -> None:
        raise OperationalError("the connection is gone")

    with monkeypatch.context() as broken:
        broken.setattr(reports, "record", fail)
        with pytest.raises(OperationalError):
            reports.apply_pending()

    assert not Claim.objects.exists()
    reports.apply_pending()
    report.refresh_from_db()
    assert report.state == Report.State.APPLIED


@pytest.mark.django_db
def test_a_fault_while_one_report_is_applied_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = make_message(Channel.EMAIL), make_message(Channel.EMAIL)
    for message in (bad, good):
        kept([fact(message, "delivered")])

    def fault(said: list[SourcedEvent]) -> Recorded:
        if any(each.event.message_id == bad.pk for each in said):
            raise TypeError("a fault of ours")
        return record(said)

    monkeypatch.setattr(reports, "record", fault)
    reports.apply_pending()

    assert sorted(Report.objects.values_list("state", "error")) == [
        ("applied", ""), ("unreadable", "TypeError: a fault of ours"),
    ]  # fmt: skip


@pytest.mark.django_db
def test_of_a_dead_workers_claim_what_was_settled_meanwhile_is_not_tried_again() -> None:
    kept([fact(make_message(), "delivered")])
    kept([fact(make_message(), "delivered")])
    claims.claim()
    Claim.objects.update(taken_at=timezone.now() - timedelta(hours=1))
    Report.objects.update(state=Report.State.APPLIED, next_at=None)

    assert reports.apply_pending() == 0
    assert not Claim.objects.exists()
