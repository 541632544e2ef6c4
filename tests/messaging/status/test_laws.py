"""The laws of the order of events: any order, any repeats, any batches end the same, in Python and in the database."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Block, Change, Channel
from messaging.ledger.record import SourcedEvent
from messaging.models import DeliveryEvent, Message
from messaging.status.order import (
    CONSENTS,
    GUESSES,
    MEANING,
    SILENT,
    UNPROVEN,
    Caveat,
    Event,
    Kind,
    MessageOutcome,
    Status,
    fold,
    is_arrival,
    is_guess,
    key_of,
    rank_of,
    status_of,
)
from messaging.suppression.follow import apply
from tests.messaging.conftest import SENT_AT, make_contact, make_message

START = datetime(2026, 11, 2, tzinfo=UTC)
kinds = st.sampled_from(list(Kind))
# Few times, so that ties are common; some of them before anything was handed over, which cannot be.
times = st.sampled_from([-30, -13, 0, 1, 2, 3, 4]).map(lambda hours: START + timedelta(hours=hours))
channels = st.sampled_from(list(Channel))
parts = st.sampled_from([1, 2, 3])
caveats = st.sampled_from(["", "", "", Caveat.GUESSED, Caveat.NAMED, Caveat.PASSED_ON])


@st.composite
def events(draw: st.DrawFn, messages: int = 1) -> list[tuple[int, Event]]:
    """Events about the first, second … message; each its own idempotency key."""
    one = st.tuples(st.integers(0, messages - 1), kinds, times, st.booleans(), caveats)
    drawn = draw(st.lists(one, max_size=12))
    return [
        (number, Event("sendgrid", kind, at, f"e{index}", reason=f"r{index}", is_automatic=automatic, caveat=caveat))
        for index, (number, kind, at, automatic, caveat) in enumerate(drawn)
    ]


@given(events(), channels, parts, st.randoms())
def test_fold_does_not_depend_on_order_or_repeats(
    said: list[tuple[int, Event]], channel: Channel, count: int, random: object
) -> None:
    facts = [event for _, event in said]
    shuffled = [*facts, *facts]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert fold(channel, shuffled, count) == fold(channel, facts, count)


@given(events(), events(), channels, parts)
def test_fold_of_all_is_at_least_the_fold_of_a_part(
    some: list[tuple[int, Event]], more: list[tuple[int, Event]], channel: Channel, count: int
) -> None:
    part, whole = [event for _, event in some], [event for _, event in some + more]

    assert fold(channel, whole, count).rank >= fold(channel, part, count).rank


@given(events(), channels, parts, times)
def test_what_is_said_to_be_older_than_the_message_counts_as_of_its_hand_over(
    said: list[tuple[int, Event]], channel: Channel, count: int, since: datetime
) -> None:
    facts = [event for _, event in said]
    cut = [replace(event, occurred_at=max(event.occurred_at, since)) for event in facts]

    assert fold(channel, facts, count, since) == fold(channel, cut, count)


@given(kinds, kinds, times, times)
def test_the_order_is_tier_then_time_then_severity(one: Kind, other: Kind, at: datetime, later: datetime) -> None:
    if one in SILENT or other in SILENT:
        return
    here, there = MEANING[one], MEANING[other]

    assert (rank_of(one, at) > rank_of(other, later)) == (
        (here.tier, at, here.severity) > (there.tier, later, there.severity)
    )


@given(kinds, kinds, times, times, caveats)
def test_a_guess_is_more_than_accepted_and_less_than_all_that_is_proven(
    guessed: Kind, proven: Kind, at: datetime, later: datetime, caveat: str
) -> None:
    if SILENT & {guessed, proven} or not is_guess(Channel.EMAIL, guessed, caveat):
        return
    rank, other = rank_of(guessed, later, is_guess=True), rank_of(proven, at)

    assert rank in GUESSES
    assert other not in GUESSES
    assert (rank > other) == (proven == Kind.ACCEPTED)


@given(events())
def test_guesses_alone_or_a_thousand_together_beat_nothing_that_is_proven(said: list[tuple[int, Event]]) -> None:
    proven = [event for _, event in said if event.caveat not in UNPROVEN]
    guesses = [event for _, event in said if is_guess(Channel.EMAIL, event.kind, event.caveat)]
    before = fold(Channel.EMAIL, proven)
    if before.status in (Status.WAITING, Status.UNKNOWN) and before.rank < rank_of(Kind.DEFERRED, START):
        return

    assert fold(Channel.EMAIL, [*proven, *guesses * 100]) == before


def test_reports_in_any_order_end_in_the_same_status() -> None:
    said = [
        Event("sendgrid", Kind.ACCEPTED, START, "1"),
        Event("sendgrid", Kind.DEFERRED, START + timedelta(minutes=1), "2"),
        Event("engage", Kind.GAVE_UP, START + timedelta(hours=72), "3"),
        Event("sendgrid", Kind.DELIVERED, START + timedelta(minutes=9), "4"),
        Event("sendgrid", Kind.OPENED, START + timedelta(minutes=5), "5"),
    ]
    for reports in permutations(said):
        assert fold(Channel.EMAIL, reports).status == Status.OPENED


@pytest.mark.parametrize(
    ("channel", "told", "shown"),
    [
        (Channel.EMAIL, [], Status.WAITING),
        (Channel.EMAIL, [(Kind.ACCEPTED, 0)], Status.UNKNOWN),
        (Channel.EMAIL, [(Kind.ACCEPTED, 0), (Kind.DEFERRED, 1)], Status.DEFERRED),
        (Channel.EMAIL, [(Kind.DEFERRED, 1), (Kind.GAVE_UP, 72)], Status.SOFT_BOUNCE),
        (Channel.EMAIL, [(Kind.GAVE_UP, 72), (Kind.DELIVERED, 70)], Status.DELIVERED),
        (Channel.EMAIL, [(Kind.SOFT_BOUNCE, 1), (Kind.DELIVERED, 2)], Status.DELIVERED),
        (Channel.EMAIL, [(Kind.DELIVERED, 1), (Kind.HARD_BOUNCE, 2)], Status.HARD_BOUNCE),
        (Channel.EMAIL, [(Kind.DELIVERED, 2), (Kind.SOFT_BOUNCE, 2)], Status.SOFT_BOUNCE),
        (Channel.EMAIL, [(Kind.OPENED, 2), (Kind.SOFT_BOUNCE, 3)], Status.SOFT_BOUNCE),
        (Channel.EMAIL, [(Kind.CLICKED, 2)], Status.OPENED),
        (Channel.EMAIL, [(Kind.DELIVERED, 2), (Kind.COMPLAINED, 3)], Status.DELIVERED),
        (Channel.SMS, [(Kind.DEFERRED, 1)], Status.UNKNOWN),
        (Channel.SMS, [(Kind.DEFERRED, 1), (Kind.GAVE_UP, 48)], Status.EXPIRED),
        (Channel.SMS, [(Kind.GAVE_UP, 48), (Kind.DELIVERED, 60)], Status.DELIVERED),
        (Channel.SMS, [(Kind.DEFERRED, 1), (Kind.UNTRACEABLE, 2)], Status.UNTRACEABLE),
        (Channel.SMS, [(Kind.FAILED, 2)], Status.FAILED),
        (Channel.SMS, [(Kind.CLICKED, 2)], Status.DELIVERED),
    ],
)
def test_statuses_come_about_as_designed(channel: Channel, told: list[tuple[Kind, int]], shown: Status) -> None:
    facts = [Event("p", kind, START + timedelta(hours=hours), str(n)) for n, (kind, hours) in enumerate(told)]

    assert fold(channel, facts).status == shown


def test_a_number_that_took_a_part_exists_so_another_part_has_failed_at_most() -> None:
    said = [
        Event("smpp", Kind.PART_ARRIVED, START, "1"),
        Event("smpp", Kind.PART_ARRIVED, START + timedelta(minutes=1), "2"),
        Event("smpp", Kind.HARD_BOUNCE, START + timedelta(minutes=2), "3"),
    ]
    for reports in permutations(said):
        assert fold(Channel.SMS, reports, parts=3).status == Status.FAILED
        assert fold(Channel.SMS, reports, parts=1).status == Status.FAILED


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ([Kind.PART_ARRIVED], Status.UNKNOWN),
        ([Kind.PART_ARRIVED] * 2, Status.UNKNOWN),
        ([Kind.PART_ARRIVED] * 3, Status.DELIVERED),
        ([Kind.PART_ARRIVED, Kind.FAILED, Kind.PART_ARRIVED], Status.FAILED),
        ([Kind.FAILED, *[Kind.PART_ARRIVED] * 3], Status.FAILED),
        ([Kind.PART_ARRIVED, Kind.GAVE_UP], Status.EXPIRED),
        ([Kind.PART_ARRIVED, Kind.GAVE_UP, Kind.PART_ARRIVED, Kind.PART_ARRIVED], Status.DELIVERED),
        ([Kind.PART_ARRIVED, Kind.DELIVERED], Status.DELIVERED),
    ],
)
def test_a_long_sms_is_delivered_when_every_part_is(told: list[Kind], shown: Status) -> None:
    facts = [Event("p", kind, START + timedelta(hours=n), str(n)) for n, kind in enumerate(told)]

    assert fold(Channel.SMS, [*facts, *facts], parts=3).status == shown


def test_the_only_part_is_the_message() -> None:
    facts = [
        Event("p", Kind.EXPIRED, START, "1"),
        Event("p", Kind.PART_ARRIVED, START + timedelta(hours=1), "2"),
    ]

    assert fold(Channel.SMS, facts).status == Status.DELIVERED


@pytest.mark.django_db(transaction=True)
@given(events(messages=3), st.lists(st.integers(1, 5), min_size=1, max_size=8), st.randoms(), channels, parts)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_agrees_with_the_fold(
    said: list[tuple[int, Event]], sizes: list[int], random: object, channel: Channel, count: int
) -> None:
    """Given two messages to one address and one to another, however their events are shuffled, doubled and batched."""
    with rolled_back():
        shared, other = make_contact(), make_contact()
        messages = [
            make_message(channel, contact, status="waiting", parts=count) for contact in (shared, shared, other)
        ]
        told = [(number, with_message(event, messages[number])) for number, event in said]
        arriving = [*told, *told]
        random.shuffle(arriving)  # type: ignore[attr-defined]

        for batch in batches([event for _, event in arriving], sizes):
            assert apply([SourcedEvent(event) for event in batch]) == []

        for number, message in enumerate(messages):
            mine = [event for found, event in told if found == number]
            message.refresh_from_db()
            assert outcome_of(message) == fold(channel, mine, count, SENT_AT)
        assert DeliveryEvent.objects.count() == len(told)
        check_blocks(channel, messages, told)
        check_consent(channel, messages, told)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("kind", sorted(CONSENTS))
def test_a_mail_that_only_names_its_message_changes_no_consent(channel: Channel, kind: Kind) -> None:
    before = Kind.COMPLAINED if kind == Kind.SUBSCRIBED else Kind.SUBSCRIBED
    message = make_message(channel, make_contact(), status="waiting")
    proven = Event("sendgrid", before, START, "1", message.pk)
    named = Event("sendgrid", kind, START + timedelta(hours=1), "2", message.pk, caveat=Caveat.NAMED)

    apply([SourcedEvent(proven), SourcedEvent(named)])

    check_consent(channel, [message], [(0, proven), (0, named)])
    assert message.contact is not None
    accepts = message.contact.accepts_email if channel == Channel.EMAIL else message.contact.accepts_sms
    assert accepts == (before == Kind.SUBSCRIBED)


def check_blocks(channel: Channel, messages: list[Message], told: list[tuple[int, Event]]) -> None:
    """A block for every address with a hard bounce, dated from the first one, written once in its contact's history."""
    for address_id in {message.address_id for message in messages}:
        mine = [
            (messages[number].pk, replace(event, occurred_at=max(event.occurred_at, SENT_AT)))
            for number, event in told
            if messages[number].address_id == address_id
        ]
        hard = [at for at, _key, _message in proofs_in(of_numbers_in_doubt(channel, mine))]
        # One that was ended had been proven by an SMS of which something arrived later.
        blocks = Block.objects.filter(address_id=address_id, ended_at=None)
        assert [block.started_at for block in blocks] == ([min(hard)] if hard else [])
    blocked = Change.objects.filter(kind=Change.Kind.BLOCKED).count()
    assert blocked == Block.objects.count()


def of_numbers_in_doubt(channel: Channel, told: list[tuple[int, Event]]) -> list[tuple[int, Event]]:
    """Without the hard bounces of an SMS of which something arrived: its number exists."""
    reached = {
        message
        for message, event in told
        if is_arrival(
            channel,
            event.kind,
            rank_of(event.kind, event.occurred_at, is_guess=is_guess(channel, event.kind, event.caveat)),
        )
    }
    return [(message, event) for message, event in told if event.kind != Kind.HARD_BOUNCE or message not in reached]


def proofs_in(told: Iterable[tuple[int, Event]], *, needs_second: bool = False) -> list[tuple[datetime, UUID, int]]:
    """The hard bounces of one address that count: what is proven, and what only names its message where one of another
    message that happened before agrees; guesses, if they need a second one, where one of an earlier day does."""
    hard = [
        (event.occurred_at, key_of(event), message, event.caveat, event.certainty)
        for message, event in told
        if event.kind == Kind.HARD_BOUNCE and event.caveat != Caveat.GUESSED
    ]
    return [
        (at, key, message)
        for at, key, message, caveat, certainty in hard
        if (caveat != Caveat.NAMED or any(before[:2] < (at, key) and before[2] != message for before in hard))
        and (certainty != "guess" or not needs_second or any(before[0].date() < at.date() for before in hard))
    ]


def check_consent(channel: Channel, messages: list[Message], told: list[tuple[int, Event]]) -> None:
    for message in messages:
        consent_changes = [
            (max(event.occurred_at, SENT_AT), event.kind != Kind.SUBSCRIBED)
            for number, event in told
            if event.kind in CONSENTS
            and messages[number].address_id == message.address_id
            and (event.caveat not in UNPROVEN or (channel == Channel.SMS and event.caveat == Caveat.GUESSED))
        ]
        assert message.contact is not None
        message.contact.refresh_from_db()
        accepts = message.contact.accepts_email if channel == Channel.EMAIL else message.contact.accepts_sms
        assert accepts == (not consent_changes or not max(consent_changes)[1])


def with_message(event: Event, message: Message) -> Event:
    return Event(
        event.provider, event.kind, event.occurred_at, event.idempotency_key, message.pk,
        reason=event.reason, is_automatic=event.is_automatic, caveat=event.caveat,
        certainty=event.certainty,
    )  # fmt: skip


def outcome_of(message: Message) -> MessageOutcome:
    return MessageOutcome(
        Status(message.status), message.rank, message.is_opened, message.is_opened_by_person, message.decided_by
    )


def batches(facts: list[Event], sizes: list[int]) -> Iterator[list[Event]]:
    start = index = 0
    while start < len(facts):
        size = sizes[index % len(sizes)]
        yield facts[start : start + size]
        start, index = start + size, index + 1


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction of one hypothesis example."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_every_kind_has_a_status_or_says_nothing_about_delivery() -> None:
    for kind in Kind:
        for channel in Channel:
            assert (status_of(kind, channel) is None) == (kind in CONSENTS | {Kind.REPLIED})
    assert SENT_AT < START
