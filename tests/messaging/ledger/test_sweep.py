"""What falls due: the clock is moved, nobody sleeps."""

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from contacts.models import Channel
from messaging.ledger import sweep
from messaging.ledger.record import SourcedEvent
from messaging.models import DeliveryEvent, Message
from messaging.status.order import Event, Kind, key_of
from messaging.suppression.follow import apply
from tests.messaging.conftest import SENT_AT, make_message

HOUR = timedelta(hours=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> object:
    def move(to: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: to)

    return move


def deferred(hours: float = 1, **fields: Any) -> Message:
    message = make_message(**fields)
    told(message, Kind.DEFERRED, hours, diagnostic="452 4.2.2 mailbox full")
    return message


def told(message: Message, kind: Kind, hours: float, **more: Any) -> None:
    event = Event("sendgrid", kind, SENT_AT + hours * HOUR, f"{message.pk} {kind} {hours}", message.pk, **more)
    with transaction.atomic():
        assert apply([SourcedEvent(event)]) == []
    message.refresh_from_db()


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "status"), [(71.9, "deferred"), (72, "soft_bounce")])
def test_an_email_is_given_up_72_hours_after_its_first_attempt(clock: object, hours: float, status: str) -> None:
    message = deferred(hours=40)
    clock(SENT_AT + hours * HOUR)  # type: ignore[operator]
    sweep.give_up_due()

    message.refresh_from_db()
    assert message.status == status


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "status"), [(47.9, "unknown"), (48, "expired")])
def test_an_sms_expires_48_hours_after_its_sending(clock: object, hours: float, status: str) -> None:
    message = make_message(Channel.SMS)
    clock(SENT_AT + hours * HOUR)  # type: ignore[operator]
    sweep.give_up_due()

    message.refresh_from_db()
    assert message.status == status


@pytest.mark.django_db
def test_giving_up_is_an_event_of_our_own_that_keeps_the_servers_last_words(clock: object) -> None:
    message = deferred()
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]
    assert sweep.give_up_due() == 1

    event = DeliveryEvent.objects.get(kind=Kind.GAVE_UP)
    assert (event.provider, event.reason, event.occurred_at) == ("engage", "expired", SENT_AT + 72 * HOUR)
    message.refresh_from_db()
    assert (message.reason, message.diagnostic, message.due_at) == ("expired", "452 4.2.2 mailbox full", None)


@pytest.mark.django_db
@pytest.mark.parametrize("channel", list(Channel))
def test_what_the_sweep_writes_is_what_applying_the_same_event_would(clock: object, channel: Channel) -> None:
    swept, applied = make_message(channel), make_message(channel)
    for message in (swept, applied):
        told(
            message, Kind.DEFERRED, 1, reason="mailbox_full", reply_code="452", diagnostic="full", said_by="mx.example"
        )
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]
    assert applied.due_at is not None
    event = Event(
        "engage", Kind.GAVE_UP, applied.due_at, str(applied.pk), applied.pk,
        reason="expired", diagnostic="full", said_by="mx.example",
    )  # fmt: skip
    with transaction.atomic():
        apply([SourcedEvent(event)])
    sweep.give_up_due()

    first, second = (
        Message.objects.values(*(field.attname for field in Message._meta.concrete_fields)).get(pk=message.pk)
        for message in (swept, applied)
    )
    assert second["decided_by"] == key_of(event)
    assert first["decided_by"] == key_of(replace(event, idempotency_key=str(swept.pk)))
    own = {"id", "decided_by", "contact_id", "address_id", "created_at"}
    assert {name: value for name, value in first.items() if name not in own} == {
        name: value for name, value in second.items() if name not in own
    }
    stored = {
        (event.message_id, event.key, event.provider, event.reason, event.diagnostic, event.said_by, event.occurred_at)
        for event in DeliveryEvent.objects.filter(kind=Kind.GAVE_UP)
    }
    assert stored == {
        (found["id"], found["decided_by"], "engage", "expired", "full", "mx.example", found["status_at"])
        for found in (first, second)
    }


@pytest.mark.django_db
def test_sweeping_twice_does_nothing_the_second_time(clock: object) -> None:
    deferred()
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]

    assert [sweep.give_up_due(), sweep.give_up_due()] == [1, 0]
    assert DeliveryEvent.objects.filter(kind=Kind.GAVE_UP).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("channel", "given_up"), [(Channel.EMAIL, "soft_bounce"), (Channel.SMS, "expired")])
def test_a_real_report_after_the_sweep_wins_even_if_it_tells_of_an_earlier_time(
    clock: object, channel: Channel, given_up: str
) -> None:
    message = make_message(channel)
    told(message, Kind.DEFERRED, 1)
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]
    sweep.give_up_due()
    message.refresh_from_db()
    assert message.status == given_up

    told(message, Kind.DELIVERED, 47)

    assert message.status == "delivered"


@pytest.mark.django_db
def test_a_deferral_after_the_sweep_changes_nothing(clock: object) -> None:
    message = deferred()
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]
    sweep.give_up_due()

    told(message, Kind.DEFERRED, 79)

    assert (message.status, message.due_at) == ("soft_bounce", None)


@pytest.mark.django_db
@pytest.mark.parametrize("channel", list(Channel))
def test_what_got_its_final_word_in_time_is_only_taken_off_the_list(clock: object, channel: Channel) -> None:
    message = make_message(channel)
    told(message, Kind.DEFERRED, 1)
    told(message, Kind.DELIVERED, 2)
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]

    assert sweep.give_up_due() == 0
    message.refresh_from_db()
    assert (message.status, message.due_at) == ("delivered", None)


@pytest.mark.django_db
def test_an_email_nobody_reported_about_stays_unknown(clock: object) -> None:
    message = make_message()
    clock(SENT_AT + 1000 * HOUR)  # type: ignore[operator]
    sweep.give_up_due()

    message.refresh_from_db()
    assert message.status == "unknown"


@pytest.mark.django_db
def test_a_sweep_goes_on_chunk_by_chunk_with_the_same_queries_for_each(
    clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "CHUNK", 3)
    for _ in range(8):
        make_message(Channel.SMS)
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]

    assert sweep.give_up_due() == 8
    assert set(Message.objects.values_list("status", "due_at")) == {("expired", None)}


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_give_up_on_each_message_once(clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "CHUNK", 5)
    for _ in range(60):
        make_message(Channel.SMS)
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]
    given_up: list[int] = []

    def run() -> None:
        given_up.append(sweep.give_up_due())
        connection.close()

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(given_up) + sweep.give_up_due() == 60
    assert DeliveryEvent.objects.filter(kind=Kind.GAVE_UP).count() == 60


@pytest.mark.django_db(transaction=True)
def test_a_message_that_a_worker_holds_is_left_for_the_next_sweep(clock: object) -> None:
    message = make_message(Channel.SMS)
    clock(SENT_AT + 80 * HOUR)  # type: ignore[operator]
    swept: list[int] = []

    def run() -> None:
        swept.append(sweep.give_up_due())
        connection.close()

    with transaction.atomic():
        Message.objects.select_for_update().get(pk=message.pk)
        thread = Thread(target=run)
        thread.start()
        thread.join()

    assert swept == [0]
    assert sweep.give_up_due() == 1
