"""A provider's outage, replayed: what it calls dead is held for review, whatever the order of the reports."""

import logging
from datetime import timedelta
from random import Random

import pytest
from django.db import transaction

from contacts.blocks import open_blocks
from contacts.models import Block, Change, Channel, Outage
from messaging.apply import Said, apply
from messaging.models import Message, OutageRule
from messaging.statuses import Event, Kind
from tests.factories import NUMBERS, ago, hard_bounce, make_contact, make_message, report, said

BIG, OTHER = "bigmail.example", "other.example"


def sent_to(domain: str, number: int, *, is_alive: bool) -> list[Message]:
    """Messages of an hour ago, each to a contact that got another one five days ago, or has never got any."""
    found = []
    for _ in range(number):
        contact = make_contact(email=f"somebody{next(NUMBERS)}@{domain}")
        if is_alive:
            make_message(contact, said(Kind.DELIVERED, ago(days=5)), sent_at=ago(days=5))
        found.append(make_message(contact, status="unknown"))
    return found


def bounces_of(messages: list[Message], minutes: int = 50) -> list[tuple[Message, Event]]:
    """One after the other, beginning so many minutes ago."""
    return [(message, hard_bounce(ago(minutes=minutes - n * 0.1))) for n, message in enumerate(messages)]


def arrive(told: list[tuple[Message, Event]], size: int = 7) -> None:
    named = [
        Event(**{**{name: getattr(event, name) for name in Event.__dataclass_fields__}, "message_id": message.pk})
        for message, event in told
    ]
    for start in range(0, len(named), size):
        with transaction.atomic():
            assert apply([Said(event) for event in named[start : start + size]]) == []


def states(messages: list[Message]) -> set[tuple[bool, bool]]:
    """(in force, held) of the blocks of these messages' addresses."""
    blocks = Block.objects.filter(address__in=[message.address_id for message in messages])
    assert blocks.count() == len(messages)
    return {(block.is_in_force, block.is_held) for block in blocks}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(4))
def test_an_outage_is_held_in_any_order_and_batches(seed: int, caplog: pytest.LogCaptureFixture, groups: None) -> None:
    random = Random(seed)
    fooled, dead = sent_to(BIG, 40, is_alive=True), sent_to(BIG, 3, is_alive=False)
    others = sent_to(OTHER, 30, is_alive=False)
    told = bounces_of(fooled) + bounces_of(dead) + bounces_of(others)
    random.shuffle(told)

    with caplog.at_level(logging.WARNING):
        arrive(told, size=random.randint(1, 30))

    outage = Outage.objects.get()
    assert outage.domain == BIG
    assert states(fooled) == states(dead) == {(False, True)}
    assert states(others) == {(True, False)}
    assert open_blocks([message.address_id for message in fooled]) == {}
    assert caplog.text.count("Outage suspected: bigmail.example") == 1
    assert Change.objects.filter(kind="held").count() == 43


def test_dead_addresses_of_an_old_list_are_blocked(db: None) -> None:
    dead = sent_to(BIG, 60, is_alive=False)

    arrive(bounces_of(dead))

    assert states(dead) == {(True, False)}
    assert not Outage.objects.exists()


def test_a_few_of_many_are_ordinary(db: None) -> None:
    """Given 25 addresses that died among 1,525: that is less than two in a hundred."""
    neighbour = make_contact(email=f"neighbour@{BIG}")
    dying: list[Message] = []
    for _ in range(25):
        dying += sent_to(BIG, 1, is_alive=True)
        Message.objects.bulk_create(
            Message(channel="email", contact=neighbour, address=neighbour.email_address, status="delivered")
            for _ in range(60)
        )

    arrive(bounces_of(dying))

    assert states(dying) == {(True, False)}


def test_what_is_usual_for_a_domain_is_no_outage(db: None) -> None:
    """Given 60 that died within the four weeks before, 15 a week: 40 are not five times as many."""
    earlier = sent_to(BIG, 60, is_alive=True)
    for n, message in enumerate(earlier):
        report(message, hard_bounce(ago(days=2 + n / 3)))
    Message.objects.filter(pk__in=[message.pk for message in earlier]).update(sent_at=ago(days=28))
    Block.objects.update(alive_at=ago(days=29))
    now = sent_to(BIG, 40, is_alive=True)

    arrive(bounces_of(now))

    assert states(now) == {(True, False)}


def test_thresholds_are_settings(db: None) -> None:
    OutageRule.objects.create(addresses=3, hours=6, share=50, alive_days=30, times=5, rate=2)
    fooled = sent_to(BIG, 3, is_alive=True)

    arrive(bounces_of(fooled), size=1)

    assert states(fooled) == {(False, True)}


def test_it_can_be_switched_off(db: None) -> None:
    OutageRule.objects.create(is_on=False, addresses=3, hours=6, share=50, alive_days=30, times=5, rate=2)
    fooled = sent_to(BIG, 5, is_alive=True)

    arrive(bounces_of(fooled))

    assert states(fooled) == {(True, False)}


def test_a_hard_bounce_after_the_outage_blocks_what_was_held(db: None) -> None:
    fooled = sent_to(BIG, 30, is_alive=True)
    arrive([(message, hard_bounce(ago(days=1, minutes=-n))) for n, message in enumerate(fooled)])
    assert states(fooled) == {(False, True)}
    assert fooled[0].contact is not None
    again = make_message(fooled[0].contact, status="unknown")

    report(again, hard_bounce(ago(minutes=1)))

    block = Block.objects.get(address=again.address_id)
    assert block.is_in_force
    assert block.message_id == again.pk
    assert states(fooled[1:]) == {(False, True)}
    latest = fooled[0].contact.changes.latest("pk")
    assert (latest.kind, latest.message_id) == ("blocked", again.pk)


def test_sms_has_no_domain(db: None) -> None:
    for n in range(25):
        contact = make_contact(mobile=f"+4670{n:07}")
        make_message(contact, said(Kind.DELIVERED, ago(days=2)), channel=Channel.SMS, sent_at=ago(days=2))
        make_message(contact, hard_bounce(), channel=Channel.SMS)

    assert not Outage.objects.exists()
    assert Block.objects.filter(held_at=None).count() == 25


def test_an_hour_without_bounces_ends_it(db: None) -> None:
    """The time that is held reaches as far beyond the last crowd as the rule looks back, not further."""
    fooled = sent_to(BIG, 30, is_alive=True)
    arrive([(message, hard_bounce(ago(days=1, minutes=-n))) for n, message in enumerate(fooled)])
    outage = Outage.objects.get()
    late, later = sent_to(BIG, 2, is_alive=False)

    report(late, hard_bounce(outage.until_at - timedelta(minutes=1)))
    report(later, hard_bounce(outage.until_at + timedelta(minutes=1)))

    assert states([late]) == {(False, True)}
    assert states([later]) == {(True, False)}
