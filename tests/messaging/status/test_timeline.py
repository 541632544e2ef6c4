"""The story of a message: which event changed its status when it was recorded, and why another did not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contacts.models import Channel
from messaging.models import DeliveryEvent
from messaging.status import timeline as story
from messaging.status.order import Event, Kind, Status, fold, key_of, of_message
from messaging.status.timeline import Effect, timeline

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def told(kind: Kind, at: int, recorded: int | None = None, number: int = 0) -> DeliveryEvent:
    """An event of `at` minutes past noon, recorded then or at another minute."""
    return row(event(kind, at, number), at if recorded is None else recorded)


def event(kind: Kind, at: int, number: int = 0) -> Event:
    return Event("engage" if kind == Kind.GAVE_UP else "sendgrid", kind, NOON + timedelta(minutes=at), f"{at} {number}")


def row(said: Event, recorded: int) -> DeliveryEvent:
    return DeliveryEvent(
        key=key_of(said), provider=said.provider, kind=said.kind, occurred_at=said.occurred_at,
        recorded_at=NOON + timedelta(minutes=recorded),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("known", "late", "note"),
    [
        ([told(Kind.HARD_BOUNCE, 10)], told(Kind.DEFERRED, 5, 20), story.TOO_LATE),
        ([told(Kind.DELIVERED, 10)], told(Kind.ACCEPTED, 15, 20), story.TOO_LATE),
        ([told(Kind.DELIVERED, 10)], told(Kind.GAVE_UP, 15, 20), story.OVERTAKEN),
        ([told(Kind.DEFERRED, 10)], told(Kind.ACCEPTED, 1, 20), story.STAGE_PASSED),
        ([told(Kind.DEFERRED, 10)], told(Kind.DEFERRED, 5, 20), story.OLDER),
        ([told(Kind.HARD_BOUNCE, 10)], told(Kind.DELIVERED, 5, 20), story.OLDER),
        ([told(Kind.HARD_BOUNCE, 10)], told(Kind.DELIVERED, 10, 20), story.WORSE_KNOWN),
        ([told(Kind.HARD_BOUNCE, 10)], told(Kind.OPENED, 5, 20), story.OPENED_ONLY),
        ([told(Kind.DELIVERED, 10)], told(Kind.COMPLAINED, 15, 20), story.CONSENT),
        ([], told(Kind.UNSUBSCRIBED, 15), story.CONSENT),
    ],
)
def test_says_why_an_event_changed_nothing(known: list[DeliveryEvent], late: DeliveryEvent, note: str) -> None:
    last = timeline(Channel.EMAIL, [*known, late])[-1]

    assert (last.effect, last.note) == (Effect.NOTHING, note)


def test_tells_a_plain_delivery_step_by_step() -> None:
    kinds = [Kind.ACCEPTED, Kind.DEFERRED, Kind.DEFERRED, Kind.DELIVERED, Kind.OPENED, Kind.OPENED]
    entries = timeline(Channel.EMAIL, [told(kind, at) for at, kind in enumerate(kinds)])

    assert [(entry.status, entry.effect) for entry in entries] == [
        (Status.UNKNOWN, Effect.CHANGED),
        (Status.DEFERRED, Effect.CHANGED),
        (Status.DEFERRED, Effect.CONFIRMED),
        (Status.DELIVERED, Effect.CHANGED),
        (Status.OPENED, Effect.CHANGED),
        (Status.OPENED, Effect.CONFIRMED),
    ]
    assert not any(entry.note for entry in entries)


def test_giving_up_is_overruled_by_a_real_report_that_comes_later() -> None:
    entries = timeline(Channel.EMAIL, [told(Kind.DEFERRED, 1), told(Kind.GAVE_UP, 5), told(Kind.DELIVERED, 3, 9)])

    assert [entry.status for entry in entries] == [Status.DEFERRED, Status.SOFT_BOUNCE, Status.DELIVERED]
    assert entries[1].note == story.OVERRULED


def test_a_long_sms_is_delivered_with_its_last_part() -> None:
    arrivals = [told(Kind.PART_ARRIVED, at, number=at) for at in (1, 2)]
    entries = timeline(Channel.SMS, [*arrivals, told(Kind.FAILED, 3)], parts=2)

    assert [entry.status for entry in entries] == [Status.UNKNOWN, Status.DELIVERED, Status.FAILED]


def test_an_sms_of_which_something_arrived_has_failed_at_most() -> None:
    entries = timeline(Channel.SMS, [told(Kind.PART_ARRIVED, 1), told(Kind.HARD_BOUNCE, 2)], parts=2)

    assert [entry.status for entry in entries] == [Status.UNKNOWN, Status.FAILED]


def test_what_came_in_one_batch_stands_in_the_order_in_which_it_happened() -> None:
    batch = [told(Kind.DELIVERED, 3, 9), told(Kind.ACCEPTED, 1, 9), told(Kind.DEFERRED, 2, 9)]

    assert [entry.event.kind for entry in timeline(Channel.EMAIL, batch)] == ["accepted", "deferred", "delivered"]


@example(Channel.SMS, [(Kind.PART_ARRIVED, 0, 0, 0), (Kind.HARD_BOUNCE, 0, 0, 0)], 1)
@given(
    st.sampled_from(list(Channel)),
    st.lists(
        st.tuples(st.sampled_from(list(Kind)), st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), max_size=8
    ),
    st.sampled_from([1, 2]),
)
def test_ends_where_the_fold_ends(channel: Channel, events: list[tuple[Kind, int, int, int]], parts: int) -> None:
    said = {
        key_of(each): (each, recorded)
        for kind, at, recorded, number in events
        for each in [of_message(event(kind, at, number), parts)]
    }

    entries = timeline(channel, [row(each, recorded) for each, recorded in said.values()], parts)

    last = entries[-1].status if entries else Status.WAITING
    assert last == fold(channel, [each for each, _ in said.values()], parts).status
    assert all(bool(entry.note) for entry in entries if entry.effect == Effect.NOTHING)
