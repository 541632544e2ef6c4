"""Reading a report may take so much time and memory, and tell so many events."""

import json
import threading
from time import process_time

import pytest
from pytest_django import Settings

from messaging.inbox import reports
from messaging.inbox.budget import within_budget
from messaging.models import Report
from messaging.providers import parsing
from messaging.providers.base import UnreadableError
from tests.messaging.conftest import make_message
from tests.messaging.inbox.test_reports import fact, kept

LARGE = 1_000_000


def for_ever() -> None:
    start = process_time()
    while process_time() - start < 60:
        try:
            sum(range(1000))
        except Exception:  # noqa: BLE001 -- as a reader might
            continue


def test_what_takes_too_long_to_read_is_refused_and_not_its_process_ended(settings: Settings) -> None:
    settings.REPORT_MAX_SECONDS = 0.05

    with pytest.raises(UnreadableError, match=r"longer than 0\.05 s of processor time"), within_budget(LARGE):
        for_ever()


def test_what_takes_too_much_memory_is_refused_and_the_memory_is_there_again(settings: Settings) -> None:
    settings.REPORT_MAX_MEMORY = 32 * 1024 * 1024

    with pytest.raises(UnreadableError, match="more than 33554432 bytes of memory"), within_budget(LARGE):
        bytearray(1 << 30)

    assert bytearray(64 * 1024 * 1024)


def test_where_python_hears_no_signals_nothing_is_limited(settings: Settings) -> None:
    settings.REPORT_MAX_MEMORY = 1
    made = list[int]()

    def read() -> None:
        with within_budget(LARGE):
            made.append(len(bytearray(LARGE)))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert made == [LARGE]


@pytest.mark.django_db
def test_a_report_over_the_budget_is_set_aside_with_words_and_the_next_is_applied(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REPORT_MAX_EVENTS = 3
    message = make_message()
    many = kept([fact(message, "open", number) for number in range(4)])
    kept([fact(message, "delivered")])

    reports.apply_pending()

    many.refresh_from_db()
    assert (many.state, many.error) == (Report.State.UNREADABLE, "4 events are more than REPORT_MAX_EVENTS.")
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.django_db
@pytest.mark.parametrize("slug", ["sendgrid", "brevo", "mailjet", "sparkpost", "generic", "bird", "infobip", "telnyx"])
@pytest.mark.parametrize("item", [b"{},", b"[],", b'{"a":1},'])
def test_sixteen_megabytes_of_next_to_nothing_are_refused_before_they_are_read(slug: str, item: bytes) -> None:
    report = kept(b"[" + item * (16_000_000 // len(item)) + b"{}]", provider=slug)

    reports.apply_pending()

    report.refresh_from_db()
    assert report.state == Report.State.UNREADABLE


@pytest.mark.parametrize("nested", [b"[", b'{"a":'])
def test_json_nested_without_end_is_no_report(nested: bytes) -> None:
    with pytest.raises(UnreadableError, match="Not JSON"):
        parsing.json_of(nested * 300_000)


def test_the_largest_report_of_a_provider_has_fewer_values_than_are_read() -> None:
    event = {"email": "a" * 30, "event": "bounce", "timestamp": 1, "smtp-id": "x" * 60, "sg_event_id": "y" * 40}
    event |= {"sg_message_id": "z" * 60, "reason": "550 5.1.1 No such user, sorry", "status": "5.1.1", "type": "b"}

    assert len(parsing.json_of(json.dumps([event] * 40_000))) == 40_000
