"""The law of blocks: they follow from the set of events alone, in Python and in the database."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Address, Block, Cause, Channel
from messaging.ledger.record import SourcedEvent
from messaging.models import BlockRule, Message, OutageRule
from messaging.status.order import GUESSES, Event, Kind, Status, fold, key_of
from messaging.suppression.follow import apply
from messaging.suppression.outages import DEFAULTS
from messaging.suppression.rules import ShownMessage, SoftRule, decisive
from tests.messaging.conftest import make_contact, make_message
from tests.messaging.status.test_laws import (
    START,
    batches,
    caveats,
    of_numbers_in_doubt,
    proofs_in,
    rolled_back,
    with_message,
)

REASONS = ["mailbox_full", "user_unknown", "spam_suspected"]
kinds = st.sampled_from(
    [Kind.SOFT_BOUNCE] * 6 + [Kind.DELIVERED] * 2 + [Kind.OPENED, Kind.DEFERRED, Kind.FAILED, Kind.GAVE_UP]
)
certainties = st.sampled_from(["", "plain", "code", "guess", "guess", "guess"])
days = st.integers(0, 6).map(lambda day: START + timedelta(days=day))


class Blocked(NamedTuple):
    """What blocks an address."""

    cause: str
    started_at: datetime
    message_id: int


@st.composite
def stories(draw: st.DrawFn, messages: int, *, with_hard: bool) -> list[tuple[int, Event]]:
    some = st.one_of(kinds, st.just(Kind.HARD_BOUNCE)) if with_hard else kinds
    one = st.tuples(st.integers(0, messages - 1), some, days, st.sampled_from(REASONS), caveats, certainties)
    drawn = draw(st.lists(one, min_size=5, max_size=16))
    return [
        # Our own giving up is proven, and never says anything else.
        (number, Event("sendgrid", kind, at, f"e{index}", reason="expired"))
        if kind == Kind.GAVE_UP
        else (number, Event("sendgrid", kind, at, f"e{index}", reason=reason, caveat=caveat, certainty=certainty))
        for index, (number, kind, at, reason, caveat, certainty) in enumerate(drawn)
    ]


def blocked(
    rule: SoftRule,
    told: Iterable[tuple[Message, list[Event]]],
    lifted_at: datetime | None,
    *,
    needs_second: bool = True,
) -> Blocked | None:
    """The pure fold: what the events of all messages of one address add up to."""
    told = list(told)
    mine = [(message.pk, event) for message, events in told for event in events]
    hard = proofs_in(
        (
            (pk, event)
            for pk, event in of_numbers_in_doubt(rule.channel, mine)
            if lifted_at is None or event.occurred_at > lifted_at
        ),
        needs_second=needs_second and rule.channel == Channel.EMAIL,
    )
    if hard:
        at, _key, message_id = min(hard)
        return Blocked(Cause.ONE_HARD_BOUNCE, at, message_id)
    seen = [found for message, events in told if (found := shown(rule.channel, message, events))]
    last = decisive(rule, run_of(rule, seen, lifted_at))
    return Blocked(Cause.SOFT_BOUNCES, last.status_at, last.id) if last else None


def shown(channel: Channel, message: Message, events: list[Event]) -> ShownMessage | None:
    outcome = fold(channel, events)
    winner = next((event for event in events if key_of(event) == outcome.decided_by), None)
    if winner is None or outcome.rank in GUESSES:
        return None
    return ShownMessage(message.pk, outcome.status, winner.occurred_at, winner.reason, outcome.is_opened)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("with_hard", [False, True])
@given(
    st.data(),
    st.integers(1, 3),
    st.integers(1, 5),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
    st.sampled_from(list(Channel)),
    st.one_of(st.none(), days),
    st.sampled_from([None, True, False]),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_follow_from_the_set_of_events(
    with_hard: bool,
    data: st.DataObject,
    bounces: int,
    span: int,
    sizes: list[int],
    random: Random,
    channel: Channel,
    lifted_at: datetime | None,
    needs_second: bool | None,
) -> None:
    """Given five messages to one address, of two people, and two to another; in any order, doubled, in any batches."""
    said = data.draw(stories(7, with_hard=with_hard))
    with rolled_back():
        BlockRule.objects.create(channel=channel, is_on=True, bounces=bounces, days=span, reasons=REASONS[:2])
        rule = SoftRule(channel, True, bounces, span, frozenset(REASONS[:2]))
        if needs_second is not None:
            OutageRule.objects.create(**{**asdict(DEFAULTS), "is_on": False, "needs_second": needs_second})
        anna = make_contact()
        ben = make_contact(email=anna.email, mobile=anna.mobile)
        others = [anna, anna, anna, ben, ben, *[make_contact()] * 2]
        messages = [make_message(channel, contact, status="waiting") for contact in others]
        Address.objects.update(lifted_at=lifted_at)
        told = [(number, with_message(event, messages[number])) for number, event in said]
        arriving = [*told, *told]
        random.shuffle(arriving)

        for batch in batches([event for _, event in arriving], sizes):
            assert apply([SourcedEvent(event) for event in batch]) == []

        for address_id in {message.address_id for message in messages}:
            mine = [
                (message, [event for found, event in told if found == number])
                for number, message in enumerate(messages)
                if message.address_id == address_id
            ]
            found = Block.objects.filter(address_id=address_id, ended_at=None).first()
            now = Blocked(found.cause, found.started_at, found.message_id or 0) if found else None

            assert now == blocked(rule, mine, lifted_at, needs_second=needs_second is not False)


def run_of(rule: SoftRule, told: Iterable[ShownMessage], lifted_at: datetime | None) -> list[ShownMessage]:
    """The soft bounces in a row of an address whose messages are `told`, the oldest first."""
    told = list(told)
    signs = [each.status_at for each in told if each.is_sign_of_life]
    since = max(filter(None, [*signs, lifted_at]), default=None)
    run = [
        each
        for each in told
        if each.status == Status.SOFT_BOUNCE
        and not each.is_opened
        and each.reason in rule.reasons
        and (since is None or each.status_at > since)
    ]
    return sorted(run, key=lambda each: (each.status_at, each.id))
