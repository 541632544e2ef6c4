"""A provider's outage, replayed: what it calls dead is held for review, whatever the order of the reports."""

import logging
from datetime import timedelta
from random import Random

import pytest
from django.db import transaction
from django.urls import reverse

from contacts.blocks.record import IN_FORCE, open_blocks
from contacts.models import Block, Change, Channel, Contact, Outage
from messaging.ledger.record import SourcedEvent
from messaging.models import Message, OutageRule
from messaging.status.order import Event, Kind
from messaging.suppression import outages
from messaging.suppression.follow import apply
from tests.factories import NUMBERS, ago, hard_bounce, log_in, make_contact, make_message, make_user, report, said

BIG, OTHER = "bigmail.example", "other.example"


def sent_to(domain: str, number: int, *, is_alive: bool) -> list[Message]:
    """Messages of an hour ago, each to a contact that got another one five days ago, or has never got any."""
    found = []
    for _ in range(number):
        contact = make_contact(email=f"somebody{next(NUMBERS)}@{domain}")
        if is_alive:
            make_message(contact, said(Kind.DELIVERED, ago(days=5)), sent_at=ago(days=5))
        found.append(make_message(contact, status="unknown", sent_at=ago(days=4)))
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
            assert apply([SourcedEvent(event) for event in named[start : start + size]]) == []


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
    Message.objects.filter(pk__in=[message.pk for message in earlier]).update(sent_at=ago(days=28))
    for n, message in enumerate(earlier):
        report(message, hard_bounce(ago(days=2 + n / 3)))
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
    again = make_message(fooled[0].contact, status="unknown", sent_at=ago(minutes=2))

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
    """The time that is held reaches as far beyond the last bounce spike as the rule looks back, not further."""
    fooled = sent_to(BIG, 30, is_alive=True)
    arrive([(message, hard_bounce(ago(days=1, minutes=-n))) for n, message in enumerate(fooled)])
    outage = Outage.objects.get()
    late, later = sent_to(BIG, 2, is_alive=False)

    report(late, hard_bounce(outage.until_at - timedelta(minutes=1)))
    report(later, hard_bounce(outage.until_at + timedelta(minutes=1)))

    assert states([late]) == {(False, True)}
    assert states([later]) == {(True, False)}


# The decision


@pytest.fixture
def outage(db: None) -> Outage:
    """Thirty living addresses of the big provider and one dead one are held."""
    arrive(bounces_of(sent_to(BIG, 30, is_alive=True) + sent_to(BIG, 1, is_alive=False)))
    return Outage.objects.get()


def page_of(outage: Outage) -> str:
    return reverse("messaging:outage", args=[outage.pk])


def decision_on(outage: Outage) -> str:
    return reverse("messaging:decide", args=[outage.pk])


def test_the_page_shows_the_evidence(outage: Outage) -> None:
    administrator = log_in("Administrators")

    page = " ".join(administrator.get(page_of(outage)).content.decode().split())

    assert "Suspected outage of <bdi>bigmail.example</bdi>" in page
    assert "<dd>31</dd>" in page
    assert '30 <span class="soft">97 %</span>' in page
    assert "The email account that you tried to reach does not exist." in page
    assert "Drop 31 blocks" in page
    assert page_of(outage) in administrator.get(reverse("messaging:block_rules")).content.decode()
    assert page_of(outage) in administrator.get(reverse("messaging:providers")).content.decode()


def test_dropped_blocks_end_and_late_reports_of_that_time_do_not_block(outage: Outage) -> None:
    late = sent_to(BIG, 1, is_alive=True)[0]
    administrator = log_in("Administrators")

    administrator.post(decision_on(outage), {"verdict": "dropped", "why": "They said so"})
    report(late, hard_bounce(outage.from_at + timedelta(seconds=5)))

    assert not Block.objects.filter(ended_at=None).exists()
    assert set(Block.objects.values_list("end_reason", flat=True)) == {"They said so"}
    assert Change.objects.filter(kind="lifted", why="They said so", actor__isnull=False).count() == 31


def test_kept_blocks_are_in_force_and_so_are_late_ones(outage: Outage) -> None:
    late = sent_to(BIG, 1, is_alive=True)[0]

    log_in("Administrators").post(decision_on(outage), {"verdict": "kept"})
    report(late, hard_bounce(outage.from_at + timedelta(seconds=5)))

    assert Block.objects.filter(IN_FORCE).count() == 32
    assert Change.objects.filter(kind="blocked", actor__isnull=False).count() == 31


def test_of_two_administrators_the_later_learns_of_the_first(outage: Outage) -> None:
    log_in("Administrators").post(decision_on(outage), {"verdict": "dropped"})

    late = log_in("Administrators").post(decision_on(outage), {"verdict": "kept"})

    assert late.status_code == 409
    assert "Somebody else has decided already" in late.content.decode()
    assert not Block.objects.filter(IN_FORCE).exists()


@pytest.mark.parametrize("group", ["Marketers", "Support", ""])
def test_others_may_neither_see_nor_decide(outage: Outage, group: str) -> None:
    other = log_in(group)

    assert other.get(page_of(outage)).status_code == 403
    assert other.post(decision_on(outage), {"verdict": "dropped"}).status_code == 403
    assert Block.objects.filter(held_at__isnull=False, ended_at=None).count() == 31


def test_the_beat_finishes_what_a_request_left(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "CHUNK", 10)
    outages.decide(outage.pk, Outage.Verdict.KEPT, actor_id=make_user("Administrators").pk)

    assert outages.carry_out(most=5) == 10
    assert outages.carry_out() == 21
    assert outages.carry_out() == 0
    assert Block.objects.filter(IN_FORCE).count() == 31


def test_what_another_worker_blocked_meanwhile_is_held_by_the_beat(outage: Outage) -> None:
    Block.objects.update(held_at=None, outage=None)

    assert outages.hold_latecomers() == 31
    assert Block.objects.filter(outage=outage, held_at__isnull=False).count() == 31


@pytest.mark.django_db(transaction=True)
def test_what_is_held_afterwards_still_blocks_for_another_bounce() -> None:
    """Given one that had bounced twice before the outage was found: within its time, and two days later."""
    fooled = sent_to(BIG, 30, is_alive=True)
    told = [(message, hard_bounce(ago(days=3, minutes=-n))) for n, message in enumerate(fooled)]
    assert fooled[0].contact is not None
    other = make_message(fooled[0].contact, status="unknown", sent_at=ago(days=2))
    arrive(told[:1])
    report(other, hard_bounce(ago(days=1)))
    arrive(told[1:])
    assert states(fooled) == {(False, True)}

    outages.settle_held(ago(minutes=5))

    block = Block.objects.get(address=other.address_id)
    assert block.is_in_force
    assert block.message_id == other.pk
    assert states(fooled[1:]) == {(False, True)}


def test_the_card_says_that_it_is_held(outage: Outage) -> None:
    contact = Contact.objects.get(email_address=Block.objects.earliest("pk").address)

    page = log_in().get(contact.get_absolute_url()).content.decode()
    history = log_in().get(reverse("contacts:history", args=[contact.guid])).content.decode()

    assert "Hard bounce held for review" in page
    assert "is-blocked" not in page
    assert page_of(outage) not in page
    assert page_of(outage) in log_in("Administrators").get(contact.get_absolute_url()).content.decode()
    assert "held for review" in history


def test_thresholds_are_set_on_the_page(db: None) -> None:
    administrator = log_in("Administrators")
    values = {"outage-is_on": "on", "outage-addresses": 7, "outage-hours": 2, "outage-share": 40}
    values |= {"outage-alive_days": 14, "outage-times": 3, "outage-rate": 1}

    assert administrator.post(reverse("messaging:outage_rule"), values).status_code == 302
    assert outages.thresholds() == outages.Thresholds(True, 7, 2, 40, 14, 3, 1)
    assert administrator.post(reverse("messaging:outage_rule"), {**values, "outage-share": 0}).status_code == 422
    assert OutageRule.objects.count() == 1
