"""A hard bounce that is only guessed from few words blocks after a second one from another day, and says so."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from contacts.models import Block, Channel
from messaging.bounces.classify import classify
from messaging.ledger.record import Revision, SourcedEvent
from messaging.models import DeliveryEvent, Message, OutageRule
from messaging.status.order import Event, Kind, key_of
from messaging.suppression import follow, outages
from tests.messaging.conftest import make_contact, make_message
from tests.staff import staff

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def bounced(message: Message, days: float, certainty: str = "guess") -> Event:
    at = START + timedelta(days=days)
    return Event(
        "mx", Kind.HARD_BOUNCE, at, f"{message.pk} {days}", message.pk, reason="user_unknown", certainty=certainty
    )


def messages_of_one(count: int) -> list[Message]:
    contact = make_contact()
    return [make_message(Channel.EMAIL, contact, sent_at=START - timedelta(days=1)) for _number in range(count)]


@pytest.mark.parametrize(
    ("said", "certainty"),
    [
        ("550 5.1.1 User unknown", "plain"),
        ("550 5.1.1", "code"),
        ("550 not found", "guess"),
        ("511", "guess"),
        ("550 the cat is on the mat", ""),
    ],
)
def test_each_verdict_says_how_sure_it_is(said: str, certainty: str) -> None:
    assert classify(said).certainty == certainty


@pytest.mark.parametrize(
    ("days", "certainties", "blocked_on"),
    [
        ([0], ["guess"], None),
        ([0, 0.25], ["guess", "guess"], None),
        ([0, 1], ["guess", "guess"], 1),
        ([0, 1], ["plain", "guess"], 0),
        ([0, 1], ["guess", "code"], 1),
        ([0, 0.25], ["guess", "plain"], 0.25),
        ([0], [""], 0),
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_guess_needs_a_second_one_from_another_day(
    days: list[float], certainties: list[str], blocked_on: float | None, is_reversed: bool
) -> None:
    messages = messages_of_one(len(days))
    events = [bounced(*each) for each in zip(messages, days, certainties, strict=True)]

    for event in reversed(events) if is_reversed else events:
        follow.apply([SourcedEvent(event)])

    found = [(block.started_at - START) / timedelta(days=1) for block in Block.objects.filter(ended_at=None)]
    assert found == ([] if blocked_on is None else [blocked_on])
    assert {message.status for message in Message.objects.all()} == {"hard_bounce"}
    assert set(DeliveryEvent.objects.values_list("certainty", flat=True)) == set(certainties)


def test_where_the_first_turns_out_soft_the_second_stands_alone_again() -> None:
    first, second = messages_of_one(2)
    events = [bounced(first, 0), bounced(second, 1)]
    follow.apply([SourcedEvent(event) for event in events])
    assert Block.objects.filter(ended_at=None).exists()

    follow.revise([Revision(key_of(events[0]), first.pk, Kind.SOFT_BOUNCE, "mailbox_full", "plain")])

    assert not Block.objects.filter(ended_at=None).exists()


def test_administrators_can_let_a_guess_block_at_once() -> None:
    browser = staff("Administrators")
    page = browser.get(reverse("messaging:block_rules")).content.decode()
    assert 'name="doubt-needs_second"' in page

    browser.post(reverse("messaging:doubt_rule"), {})

    assert not outages.thresholds().needs_second
    assert OutageRule.objects.get().addresses == outages.DEFAULTS.addresses
    (message,) = messages_of_one(1)
    follow.apply([SourcedEvent(bounced(message, 0))])
    assert Block.objects.filter(ended_at=None).exists()


def test_only_who_may_set_the_rules_sets_this_one() -> None:
    assert staff("Marketers").post(reverse("messaging:doubt_rule"), {}).status_code == 403
    assert outages.thresholds().needs_second


def test_the_details_say_how_sure_it_is_and_why_nothing_is_blocked_yet() -> None:
    first, second = messages_of_one(2)
    browser = staff("Marketers")
    follow.apply([SourcedEvent(bounced(first, 0))])

    page = browser.get(reverse("messaging:details", args=[first.pk])).content.decode()

    assert "Hard bounce" in page
    assert "Guessed: the reply says too little to be sure" in page
    assert "did not block the address yet" in page
    assert "an administrator can remove the block" not in page

    follow.apply([SourcedEvent(bounced(second, 1))])

    page = browser.get(reverse("messaging:details", args=[second.pk])).content.decode()
    assert "blocked the address for all send-outs" in page
    assert "did not block the address yet" not in page
