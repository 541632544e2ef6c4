"""Bursts of clicks whose reports come in several batches: a program's all the same, the first of them too."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Block, Channel
from messaging.ledger.record import SourcedEvent
from messaging.models import Heard, Message, Outcome
from messaging.sendouts import making
from messaging.sendouts.lifecycle import start
from messaging.sendouts.outcome import keeping
from messaging.status.order import Event, Kind, fold, key_of
from messaging.suppression import engagement_after_block
from messaging.suppression.follow import apply
from messaging.tracking.bots import bursts_marked
from tests.factories import ago
from tests.messaging.conftest import SENT_AT, make_contact, make_message
from tests.messaging.sendouts.people import Person, make_people, make_send_out
from tests.messaging.status.test_laws import batches, outcome_of, rolled_back

pytestmark = pytest.mark.django_db
NOW = timedelta(0)
# (link, tenths of a second)
clicks = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 25)), max_size=12, unique=True)


def click(message: Message, link: int, tenths: int, *, is_automatic: bool = False) -> Event:
    at = SENT_AT + timedelta(days=1, milliseconds=100 * tenths)
    return Event(
        "tracking", Kind.CLICKED, at, f"{message.pk} {link} {tenths}", message.pk, provider_code=f"link {link}",
        is_automatic=is_automatic,
    )  # fmt: skip


def opened(message: Message, tenths: int) -> Event:
    at = SENT_AT + timedelta(days=1, milliseconds=100 * tenths)
    return Event("tracking", Kind.OPENED, at, f"{message.pk} open {tenths}", message.pk)


def record(*events: Event) -> None:
    with transaction.atomic():
        apply([SourcedEvent(each) for each in events])


def is_automatic(message: Message) -> set[bool]:
    return set(message.events.values_list("is_automatic", flat=True))


@pytest.fixture
def message() -> Message:
    return make_message()


def test_the_clicks_of_a_burst_that_came_a_batch_before_are_a_programs_too(message: Message) -> None:
    record(opened(message, 0), click(message, 1, 2))
    record(click(message, 2, 4))
    message.refresh_from_db()
    assert message.is_opened_by_person

    record(click(message, 3, 6))

    message.refresh_from_db()
    assert message.status == "opened"
    assert not message.is_opened_by_person
    assert is_automatic(message) == {True}


def test_a_click_before_a_burst_that_is_known_for_one_is_a_programs_too(message: Message) -> None:
    record(click(message, 1, 0))
    record(*(click(message, link, 3) for link in (2, 3, 4)))

    assert is_automatic(message) == {True}


def test_what_a_person_did_at_another_time_stays(message: Message) -> None:
    record(click(message, 1, -600))
    for link in (1, 2, 3):
        record(click(message, link, link))

    message.refresh_from_db()
    assert message.is_opened_by_person
    assert message.events.filter(is_automatic=False).count() == 1


def test_only_a_batch_with_clicks_looks_back_and_once(message: Message) -> None:
    with CaptureQueriesContext(connection) as without:
        record(opened(message, 0))
    with CaptureQueriesContext(connection) as having:
        record(click(message, 1, 0), click(message, 2, 30))

    assert len(having) == len(without) + 1


@given(clicks, st.lists(st.integers(1, 4), min_size=1, max_size=6), st.randoms())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_whatever_batches_and_order_they_are_what_they_are_together(
    told: list[tuple[int, int]], sizes: list[int], random: object
) -> None:
    with rolled_back():
        message = make_message(contact=make_contact(), status="waiting")
        marked = bursts_marked([click(message, *each) for each in told])
        arriving = [click(message, *each) for each in told]
        random.shuffle(arriving)  # type: ignore[attr-defined]

        for batch in batches(arriving, sizes):
            record(*batch)

        recorded = dict(message.events.values_list("key", "is_automatic"))
        assert recorded == {key_of(each): each.is_automatic for each in marked}
        message.refresh_from_db()
        assert outcome_of(message) == fold(Channel.EMAIL, marked, since=SENT_AT)


def test_what_was_counted_of_the_send_out_is_counted_anew() -> None:
    make_people([Person(0, True, "", False)], set())
    send_out = make_send_out()
    start(send_out.pk)
    making.make_rows(send_out.pk)
    message = Message.objects.get()
    Message.objects.update(sent_at=SENT_AT)
    record(click(message, 1, 0), click(message, 2, 1))
    keeping.look(margin=NOW)
    assert Outcome.objects.get().counts["opened/person"] == 1

    record(click(message, 3, 2))
    keeping.look(margin=NOW)

    counts = Outcome.objects.get().counts
    assert (counts["opened/program"], "opened/person" in counts) == (1, False)
    heard = {(each.figure, each.link): (each.events, each.messages) for each in Heard.objects.exclude(events=0)}
    assert heard == {("auto_clicked", f"link {n}"): (1, 1) for n in (1, 2, 3)}


def test_a_program_is_no_persons_sign_of_life_though_its_first_clicks_were_taken_for_one() -> None:
    contact = make_contact()
    bounced, read = (make_message(contact=contact) for _ in range(2))
    record(Event("p", Kind.HARD_BOUNCE, SENT_AT, "1", bounced.pk, reason="user_unknown"))
    record(click(read, 1, 0))
    assert not Block.objects.get().life_is_automatic

    record(click(read, 2, 1), click(read, 3, 2))

    block = Block.objects.get()
    assert (block.life_by, block.life_is_automatic) == ("clicked", True)

    record(click(read, 1, 600))
    Block.objects.update(recorded_at=ago(minutes=10))
    engagement_after_block.seek()
    assert not Block.objects.get().life_is_automatic
