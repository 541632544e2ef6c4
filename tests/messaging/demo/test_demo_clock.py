"""Moving the time of the demo on: everything moves, alike, and what follows from times stays right."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import models, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Channel
from messaging.demo import clock
from messaging.demo.clock import BusyError
from messaging.ledger.record import SourcedEvent
from messaging.models import DeliveryEvent, Message
from messaging.status.order import Event, Kind, Status, fold
from messaging.suppression.follow import apply
from tests.messaging.conftest import SENT_AT, make_contact, make_message
from tests.messaging.status.test_laws import rolled_back

DAY = timedelta(days=1, microseconds=7)
KINDS = st.sampled_from([kind for kind in Kind if kind not in (Kind.SUBSCRIBED, Kind.REPLIED)])


def test_every_time_that_the_product_keeps_moves_or_has_a_reason_to_stay() -> None:
    found = {
        model: tuple(each.name for each in model._meta.get_fields() if isinstance(each, models.DateTimeField))
        for app in ("contacts", "messaging")
        for model in apps.get_app_config(app).get_models()
    }
    timed = {model: set(names) for model, names in found.items() if names}

    assert {model.__name__ for model in timed} == {model.__name__ for model in clock.MOVES} | clock.STAYS.keys()
    assert all(timed[model] == set(names) for model, names in clock.MOVES.items())


@pytest.mark.django_db(transaction=True)
@given(st.sampled_from(Channel), st.integers(1, 2), st.lists(st.tuples(KINDS, st.integers(0, 3)), min_size=1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_message_shows_what_its_moved_events_add_up_to(
    channel: Channel, parts: int, told: list[tuple[Kind, int]]
) -> None:
    with rolled_back():
        contact = make_contact()
        message = make_message(channel, contact, parts=parts, status=Status.WAITING)
        apply([SourcedEvent(event(message, *each)) for each in told])
        before = message.events.order_by("key").values_list("occurred_at", flat=True)
        expected = [at - DAY for at in before]

        clock.pass_time(clock.world_of([contact], []), DAY)

        message.refresh_from_db()
        moved = [event(message, *each, earlier=DAY) for each in told]
        found = fold(channel, moved, parts)
        assert (message.status, message.rank, message.decided_by) == (found.status, found.rank, found.decided_by)
        assert list(message.events.order_by("key").values_list("occurred_at", flat=True)) == expected
        assert message.sent_at == SENT_AT - DAY


def event(message: Message, kind: Kind, hour: int, earlier: timedelta = timedelta()) -> Event:
    at = SENT_AT + timedelta(hours=hour) - earlier
    return Event("test", kind, at, f"{message.pk} {hour}", message_id=message.pk)


@pytest.mark.django_db
def test_the_time_of_others_stays() -> None:
    contact = make_contact()
    mine, other = make_message(contact=contact), make_message()
    for each in (mine, other):
        with transaction.atomic():
            apply([SourcedEvent(event(each, Kind.HARD_BOUNCE, 1))])

    clock.pass_time(clock.world_of([contact], []), DAY)

    times = {each.pk: each.occurred_at for each in (DeliveryEvent.objects.get(message=one) for one in (mine, other))}
    assert sorted(times.values()) == [SENT_AT + timedelta(hours=1) - DAY, SENT_AT + timedelta(hours=1)]
    blocked = [each.address.blocks.get().started_at for each in (mine, other)]
    assert blocked == sorted(times.values())


@pytest.mark.django_db
def test_no_time_goes_by_while_a_worker_has_a_message_in_hand() -> None:
    contact = make_contact()
    message = make_message(contact=contact, status="waiting", attempts=1)

    with pytest.raises(BusyError):
        clock.pass_time(clock.world_of([contact], []), DAY)

    message.refresh_from_db()
    assert message.sent_at == SENT_AT
