"""A long SMS: the gateway names and reports each of its parts."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from contacts.models import Block, Channel
from messaging.card import explanations
from messaging.inbox.reparse import contents_of
from messaging.inbox.reports import apply_batch
from messaging.ledger.record import SourcedEvent
from messaging.models import Message, Part, Report
from messaging.status.order import Event, Kind
from messaging.suppression.follow import apply
from tests.messaging.conftest import SENT_AT, make_message

IDS = ("a1", "a2", "a3")


@pytest.fixture
def message() -> Message:
    made = make_message(Channel.SMS, provider="vonage", provider_message_id=IDS[0], parts=3)
    Part.objects.bulk_create(Part(message=made, provider="vonage", provider_message_id=part) for part in IDS[1:])
    return made


def told(message: Message, *said: tuple[str, Kind]) -> Message:
    events = [
        Event("vonage", kind, SENT_AT + timedelta(minutes=IDS.index(part)), f"{part} {kind}", provider_message_id=part)
        for part, kind in said
    ]
    with transaction.atomic():
        assert apply([SourcedEvent(event) for event in events]) == []
    message.refresh_from_db()
    return message


@pytest.mark.django_db
def test_is_found_by_the_id_of_any_part_and_delivered_with_the_last(message: Message) -> None:
    told(message, ("a3", Kind.PART_ARRIVED), ("a1", Kind.PART_ARRIVED))
    assert message.status == "unknown"
    assert explanations.hint(message, timezone.now()) == "2 of 3 parts arrived"

    told(message, ("a3", Kind.PART_ARRIVED))
    assert message.status == "unknown"

    told(message, ("a2", Kind.PART_ARRIVED))
    assert (message.status, message.status_at) == ("delivered", SENT_AT + timedelta(minutes=2))


@pytest.mark.django_db
def test_one_failed_part_decides(message: Message) -> None:
    told(message, ("a2", Kind.FAILED))
    told(message, *((part, Kind.PART_ARRIVED) for part in IDS))

    assert message.status == "failed"


@pytest.mark.django_db
def test_all_parts_in_one_batch(message: Message) -> None:
    told(message, *((part, Kind.PART_ARRIVED) for part in (*IDS, *IDS)))

    assert (message.status, message.parts_arrived, message.reason) == ("delivered", 3, "")


@pytest.mark.django_db
def test_support_sees_that_the_receipt_of_an_only_part_was_recorded() -> None:
    message = make_message(Channel.SMS, provider="vonage", provider_message_id="a1")
    report = Report.objects.create(
        provider="vonage", content_type="application/x-www-form-urlencoded", path="/webhooks/vonage/",
        body=b"messageId=a1&status=delivered&err-code=0&msisdn=46701740605",
    )  # fmt: skip
    assert apply_batch() == 1

    message.refresh_from_db()
    told = contents_of(report).told
    assert message.status == "delivered"
    assert [each.recorded.kind for each in told if each.recorded] == ["delivered"]
    assert len(told) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_a_number_that_took_a_part_is_not_blocked_in_whatever_order_it_is_told(
    message: Message, order: tuple[int, ...]
) -> None:
    said = [("a1", Kind.PART_ARRIVED), ("a2", Kind.PART_ARRIVED), ("a3", Kind.HARD_BOUNCE)]
    for place in order:
        told(message, said[place])

    assert message.status == "failed"
    assert not Block.objects.filter(address=message.address, ended_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_delivered_and_undelivered_for_one_id_block_nobody(order: tuple[int, ...]) -> None:
    message = make_message(Channel.SMS, provider="vonage", provider_message_id="a1")
    said = [("a1", Kind.PART_ARRIVED), ("a1", Kind.HARD_BOUNCE)]
    for place in order:
        told(message, said[place])

    assert message.status == "failed"
    assert not Block.objects.filter(address=message.address, ended_at=None).exists()
