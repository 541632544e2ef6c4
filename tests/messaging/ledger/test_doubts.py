"""Which SMS in doubt a receipt with an unknown id is about, and when nobody guesses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from contacts.models import Channel
from messaging.delivery import sql as handover
from messaging.inbox import reports
from messaging.inbox.reparse import contents_of
from messaging.ledger.record import SourcedEvent
from messaging.ledger.sql import TRY_SETTLING
from messaging.models import Message, Part, Report
from messaging.status.order import Caveat, Event, Kind, Submitted
from messaging.suppression.follow import apply
from tests.messaging.conftest import make_contact, make_message
from tests.messaging.sendouts.people import make_send_out
from tests.messaging.smpp.pdus import deliver_sm

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
AT = timezone.now() - timedelta(hours=2)


def in_doubt(message: Message | None = None, *, doubted_at: timedelta = 11 * MINUTE, **fields: object) -> Message:
    """Handed over at AT by somebody who died; found out later."""
    contact = message.contact if message else make_contact(email="")
    values = {"status": "waiting", "sent_at": AT, "provider": "smpp", "attempts": 1, "due_at": None} | fields
    if "send_out" not in values:
        values["send_out"] = make_send_out(Channel.SMS, sender="Engage")
    made = make_message(Channel.SMS, contact, **values)
    with transaction.atomic():
        doubt = Event(
            "engage", Kind.ACCEPTED, AT + doubted_at, f"{made.pk} in doubt", made.pk,
            reason="in_doubt", caveat=Caveat.OUTCOME_UNKNOWN,
        )  # fmt: skip
        apply([SourcedEvent(doubt)])
    return made


def receipt(
    message: Message, name: str = "x/1", kind: Kind = Kind.PART_ARRIVED, after: timedelta = MINUTE, **said: object
) -> Event:
    """That of an SMS submitted so long after AT."""
    at = AT + after
    told = replace(Submitted(message.address.value, "ENGAGE", at - MINUTE, at + MINUTE), **said)  # type: ignore[arg-type]
    return Event(
        "smpp", kind, at + MINUTE, f"{name} {kind}", provider_message_id=name,
        submitted=lambda: told,
    )  # fmt: skip


def came(*events: Event) -> list[str]:
    """The ids of those that matched nothing."""
    with transaction.atomic():
        return [each.event.provider_message_id for each in apply([SourcedEvent(event) for event in events])]


def status_of(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def test_what_fits_number_sender_and_time_is_meant_and_later_reports_by_that_id_too() -> None:
    message = in_doubt()

    assert came(receipt(message, kind=Kind.DEFERRED)) == []
    assert came(replace(receipt(message), submitted=None)) == []

    assert status_of(message) == "delivered"
    assert set(message.events.exclude(provider="engage").values_list("caveat", flat=True)) == {"guessed"}


@pytest.mark.parametrize(
    "said",
    [
        {"number": "+46700000000"},
        {"sender": "Other"},
        {"after": -5 * MINUTE},  # before it was marked
        {"after": 15 * MINUTE},  # when its worker must have been dead
        {"reference": 1},
    ],
)
def test_what_does_not_fit_is_not(said: dict[str, object]) -> None:
    message = in_doubt(id=2 << 16)

    assert came(receipt(message, **said)) == ["x/1"]  # type: ignore[arg-type]
    assert (status_of(message), Part.objects.count()) == ("unknown", 0)


def test_what_was_tried_again_left_after_it_was_put_off() -> None:
    message = in_doubt(attempts=2, doubted_at=60 * MINUTE)
    with transaction.atomic():
        apply([SourcedEvent(Event("smpp", Kind.DEFERRED, AT + 30 * MINUTE, f"{message.pk} 1", message.pk))])

    assert came(receipt(message, after=20 * MINUTE)) == ["x/1"]
    assert came(receipt(message, after=50 * MINUTE)) == []


def test_the_reference_goes_before_the_sender_that_an_smsc_replaced() -> None:
    message = in_doubt(id=(2 << 16) + 7)

    assert came(receipt(message, sender="46700", reference=7)) == []


@pytest.mark.parametrize(
    ("fields", "is_one"),
    [
        ({"status": "waiting"}, False),  # on its way: its id may be written down in a moment
        ({"status": "waiting", "attempts": 0, "sent_at": None}, True),
        ({"status": "unknown", "provider_message_id": "x/7"}, True),
        ({"status": "failed"}, True),
        ({"status": "waiting", "provider": "twilio"}, True),
    ],
)
def test_another_sms_to_the_number_stands_in_the_way_only_if_it_may_be_meant(
    fields: dict[str, object], is_one: bool
) -> None:
    message = in_doubt()
    other = {"sent_at": AT, "provider": "smpp", "attempts": 1, "send_out": make_send_out(Channel.SMS, sender="Engage")}
    make_message(Channel.SMS, message.contact, **(other | fields))

    assert came(receipt(message)) == ([] if is_one else ["x/1"])


def test_of_two_in_doubt_neither_is_guessed() -> None:
    message = in_doubt()
    other = in_doubt(message)

    assert came(receipt(message), receipt(message, "x/2")) == ["x/1", "x/2"]
    assert (status_of(message), status_of(other)) == ("unknown", "unknown")


def test_more_ids_than_parts_are_not_all_its_own_so_none_is_taken() -> None:
    message = in_doubt(parts=2)

    assert len(came(*(receipt(message, f"x/{number}") for number in range(3)))) == 3
    assert came(receipt(message, "x/0"), receipt(message, "x/1")) == []
    assert came(receipt(message, "x/2")) == ["x/2"]
    assert (status_of(message), message.parts_arrived) == ("delivered", 2)


def test_where_the_ids_of_some_parts_were_heard_the_others_are_found() -> None:
    message = in_doubt(parts=3, provider_message_id="x/1")
    Part.objects.create(message=message, provider="smpp", provider_message_id="x/2")

    assert came(receipt(message, "x/1"), receipt(message, "x/2"), receipt(message, "x/3")) == []

    assert status_of(message) == "delivered"
    assert message.events.filter(caveat="guessed").count() == 1


def test_what_hand_over_heard_goes_before_what_was_guessed() -> None:
    message, other = in_doubt(), make_message(Channel.SMS, provider="smpp", parts=2)
    assert came(receipt(message, kind=Kind.DEFERRED)) == []

    with connection.cursor() as cursor:
        cursor.execute(handover.NAME_PARTS, [[other.pk], ["smpp"], ["x/1"]])

    part = Part.objects.get()
    assert (part.message_id, part.is_guessed) == (other.pk, False)


def test_any_number_of_foreign_receipts_take_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    messages: Sequence[Message] = [make_message(Channel.SMS) for _ in range(20)]
    foreign = [SourcedEvent(receipt(each, f"x/{number}")) for number, each in enumerate(messages)]

    # How to plan, by id, and by number and time.
    with transaction.atomic(), django_assert_num_queries(3):
        assert len(apply(foreign)) == 20


@pytest.mark.django_db(transaction=True)
def test_while_somebody_else_settles_nothing_is_given_away() -> None:
    message = in_doubt()

    def meanwhile() -> None:
        assert came(receipt(message)) == ["x/1"]
        connection.close()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TRY_SETTLING)
        other = Thread(target=meanwhile)
        other.start()
        other.join()

    assert came(receipt(message)) == []


def test_to_look_at_a_report_settles_nothing() -> None:
    message = in_doubt()
    told = (
        f"id:1 sub:001 dlvrd:001 submit date:{AT + MINUTE:%y%m%d%H%M} done date:{AT + MINUTE:%y%m%d%H%M} stat:DELIVRD"
    )
    body = deliver_sm(told, source=message.address.value.lstrip("+"))
    report = Report.objects.create(provider="smpp", body=body, received_at=AT + 2 * MINUTE)

    contents = contents_of(report)

    assert [(each.recorded, each.message_id) for each in contents.told] == [(None, None)]
    assert not Part.objects.exists()
    assert reports.apply_pending() == 1
    assert Part.objects.get().message == message
