"""A blocked address that is alive: the sign is noted at its block, in whatever order the reports come."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from django.utils import timezone

from contacts.blocks import record
from contacts.models import Block, Contact
from messaging.ledger.record import SourcedEvent
from messaging.models import Message
from messaging.status.order import Event, Kind
from messaging.suppression import engagement_after_block
from messaging.suppression.follow import apply
from tests.factories import ago, as_fields, hard_bounce, make_contact, make_message, make_user, report, said

pytestmark = pytest.mark.django_db

BOUNCED = ago(days=3)


@pytest.fixture
def anna() -> Contact:
    return make_contact()


def noted() -> tuple[str, datetime | None, bool]:
    block = Block.objects.get(ended_at=None)
    return block.life_by, block.life_at, block.life_is_automatic


def settle() -> None:
    """As when the block was made some minutes ago."""
    Block.objects.update(recorded_at=ago(minutes=10))
    engagement_after_block.seek()


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(Kind.DELIVERED, "delivered"), (Kind.OPENED, "opened"), (Kind.CLICKED, "clicked"), (Kind.SUBSCRIBED, "answered")],
)
def test_a_sign_after_the_block_is_noted_with_its_message(anna: Contact, kind: Kind, shown: str) -> None:
    make_message(anna, hard_bounce(BOUNCED))
    sign = said(kind, ago(days=1))
    message = make_message(anna, sign)

    assert noted() == (shown, sign.occurred_at, False)
    assert Block.objects.get().life_message_id == message.pk


@pytest.mark.parametrize("kind", [Kind.ACCEPTED, Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.COMPLAINED, Kind.UNSUBSCRIBED])
def test_other_events_are_no_sign(anna: Contact, kind: Kind) -> None:
    make_message(anna, hard_bounce(BOUNCED))
    make_message(anna, said(kind, ago(days=1)))
    settle()

    assert noted() == ("", None, False)


def test_what_happened_before_the_bounce_is_no_sign(anna: Contact) -> None:
    make_message(anna, hard_bounce(BOUNCED))
    make_message(anna, said(Kind.OPENED, BOUNCED - timedelta(hours=1)))
    settle()

    assert noted() == ("", None, False)


def test_a_person_counts_before_a_program_and_then_the_newest(anna: Contact) -> None:
    make_message(anna, hard_bounce(BOUNCED))
    by_program = said(Kind.OPENED, ago(hours=1), is_automatic=True)
    by_person, later = said(Kind.OPENED, ago(hours=9)), said(Kind.CLICKED, ago(hours=8))
    message = make_message(anna, sent_at=BOUNCED)

    for event, shown in ((by_program, "opened"), (by_person, "opened"), (later, "clicked")):
        report(message, event)
        assert noted() == (shown, event.occurred_at, event.is_automatic)
    report(message, said(Kind.OPENED, ago(minutes=1), is_automatic=True))
    assert noted() == ("clicked", later.occurred_at, False)


STORY = {
    "first bounce": hard_bounce(BOUNCED),
    "between": said(Kind.DELIVERED, BOUNCED + timedelta(minutes=1)),
    "second bounce": hard_bounce(BOUNCED + timedelta(minutes=2)),
    "opened": said(Kind.OPENED, BOUNCED + timedelta(days=1)),
}


@pytest.mark.parametrize("order", list(permutations(STORY)), ids=", ".join)
@pytest.mark.parametrize("is_one_batch", [True, False])
def test_any_order_ends_the_same(anna: Contact, order: tuple[str, ...], is_one_batch: bool) -> None:
    first, second = make_message(anna, sent_at=BOUNCED), make_message(anna, sent_at=BOUNCED)
    about = {"first bounce": first, "between": second, "second bounce": second, "opened": first}
    told = [SourcedEvent(Event(**{**as_fields(STORY[name]), "message_id": about[name].pk})) for name in order]
    if is_one_batch:
        apply(told)
    else:
        for each in told:
            apply([each])
    settle()

    block = Block.objects.get()
    assert (block.started_at, block.last_proof_at) == (BOUNCED, STORY["second bounce"].occurred_at)
    assert noted() == ("opened", STORY["opened"].occurred_at, False)


@pytest.mark.parametrize("order", list(permutations(list(STORY)[:3])), ids=", ".join)
def test_a_delivery_between_two_bounces_is_no_sign(anna: Contact, order: tuple[str, ...]) -> None:
    first, second = make_message(anna, sent_at=BOUNCED), make_message(anna, sent_at=BOUNCED)
    about = {"first bounce": first, "between": second, "second bounce": second}
    for name in order:
        apply([SourcedEvent(Event(**{**as_fields(STORY[name]), "message_id": about[name].pk}))])
    settle()

    assert noted() == ("", None, False)


def test_a_sign_that_overtook_its_bounce_is_found_later_and_looked_for_once(anna: Contact) -> None:
    make_message(anna, said(Kind.OPENED, ago(days=1)))
    make_message(anna, hard_bounce(BOUNCED))
    assert noted()[0] == ""
    assert engagement_after_block.seek() == 0, "too early: a worker may be about to note it"

    settle()

    assert noted()[0] == "opened"
    assert engagement_after_block.seek() == 0


def test_signs_of_addresses_that_are_not_blocked_leave_nothing(anna: Contact) -> None:
    make_message(anna, hard_bounce(BOUNCED))
    record.lift(Block.objects.get().pk, actor_id=make_user("").pk, reason="Works")
    make_message(anna, said(Kind.OPENED, timezone.now()))
    make_message(make_contact(), said(Kind.OPENED, timezone.now()))

    assert not Block.objects.exclude(life_at=None).exists()
    assert Message.objects.count() == 3
