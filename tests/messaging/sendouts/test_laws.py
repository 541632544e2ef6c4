"""The laws of making rows: any crash and any chunks give the same rows; every member has exactly one fate, counted."""

from collections import Counter
from contextlib import suppress
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Channel, Contact, Label
from messaging.ledger.record import SourcedEvent
from messaging.models import Batch, LeftOut, Message, Progress, SendOut
from messaging.sendouts import making
from messaging.sendouts.audience import Country, Everybody, Segment
from messaging.sendouts.control_group import Draw, Master
from messaging.sendouts.lifecycle import start
from messaging.sendouts.models import MasterControl, Why
from messaging.sendouts.recipient_resolution import counts, members, rules_of
from messaging.sendouts.sql import IS_DRAWN
from messaging.sendouts.totals import fold, recount, totals_of
from messaging.status.order import Event, Kind, Status
from messaging.suppression.follow import apply
from tests.messaging.conftest import SENT_AT
from tests.messaging.sendouts.people import Person, make_people, make_send_out, people
from tests.messaging.status.test_laws import rolled_back

crowds = st.lists(people, max_size=24)
blocks = st.sets(st.integers(0, 7), max_size=3)
percentages = st.sampled_from([Decimal(0), Decimal(10), Decimal(50)])
chunks = st.lists(st.integers(1, 6), min_size=1, max_size=30)
DATABASE = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class CrashError(Exception):
    """Somebody pulled the plug."""


def fates(
    spike: list[Person], made: list[Contact], blocked: set[int], send_out: SendOut, master: Master
) -> dict[int, str]:
    """What must become of each contact: the rules once more, in Python and one by one."""
    found: dict[int, str] = {}
    taken: set[int] = set()
    transactional = send_out.is_transactional
    control = Draw() if transactional else Draw(send_out.control_percentage, send_out.control_seed)
    everybody = master if not transactional else Master()
    for person, contact in zip(spike, made, strict=True):
        if send_out.audience["kind"] == "segment" and person.country != "SE":
            continue
        if person.address is None:
            found[contact.pk] = Why.NO_ADDRESS
        elif person.address in blocked:
            found[contact.pk] = Why.BLOCKED
        elif not person.accepts and not transactional:
            found[contact.pk] = Why.OPTED_OUT
        elif person.address in taken:
            found[contact.pk] = Why.DUPLICATE
        else:
            taken.add(person.address)
            if everybody.draw.draws(contact.pk) or (everybody.label and person.is_labelled):
                found[contact.pk] = Why.MASTER_CONTROL
            else:
                found[contact.pk] = Status.CONTROL_GROUP if control.draws(contact.pk) else Status.WAITING
    return found


def rows_of(send_out: SendOut) -> dict[int, str]:
    rows = list(Message.objects.filter(send_out=send_out).values_list("contact_id", "status"))
    rows += LeftOut.objects.filter(send_out=send_out).values_list("contact_id", "why")
    assert len({contact for contact, _ in rows}) == len(rows)
    return {contact: fate for contact, fate in rows if contact is not None}


@pytest.mark.django_db(transaction=True)
@given(
    crowds, blocks, percentages, percentages, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(Channel),
    chunks, st.sets(st.integers(0, 30), max_size=6),
)  # fmt: skip
@DATABASE
def test_any_crash_and_any_chunks_give_every_member_its_one_fate(
    spike: list[Person], blocked: set[int], control: Decimal, held: Decimal, by_label: bool, transactional: bool,
    segment: bool, channel: Channel, sizes: list[int], crashes: set[int],
) -> None:  # fmt: skip
    with rolled_back():
        made = make_people(spike, blocked, channel)
        label = Label.objects.get(name="VIP").pk if by_label else None
        MasterControl.objects.create(percentage=held, seed=7, label_id=label)
        audience = Segment((Country(("SE",)),)) if segment else Everybody()
        send_out = make_send_out(
            channel, audience=audience.as_json(), control_percentage=control, is_transactional=transactional
        )
        expected = fates(spike, made, blocked, send_out, Master(Draw(held, 7), label))
        promised = counts(rules_of(send_out))
        lists = {outcome: members(rules_of(send_out), outcome) for outcome in (*Why, *Status)}

        start(send_out.pk)
        for number in range(200):
            if not step(send_out, sizes[number % len(sizes)], is_crash=number in crashes):
                break

        assert rows_of(send_out) == expected
        # What the final page promised, what was made, what the totals say, and what a count says: all one.
        fated = Counter(expected.values())
        assert {outcome: n for outcome, n in promised.by_outcome.items() if n} == fated
        assert promised.audience == len(expected) == totals_of([send_out.pk])[send_out.pk].audience
        assert totals_of([send_out.pk])[send_out.pk] == fated
        for outcome, numbers in lists.items():
            assert numbers == sorted((pk for pk, fate in expected.items() if fate == outcome), reverse=True)
        check_batches(send_out)


def step(send_out: SendOut, size: int, *, is_crash: bool) -> bool:
    """One chunk; or one that is lost on the way to its commit."""
    if not is_crash:
        return making.make_chunk(making.recipe_of(send_out.pk), size)
    with suppress(CrashError), transaction.atomic():
        making.make_chunk(making.recipe_of(send_out.pk), size)
        raise CrashError
    return True


def check_batches(send_out: SendOut) -> None:
    """Every message that waits lies in exactly one batch; and all lie in the range that Progress tells."""
    waiting = list(Message.objects.filter(send_out=send_out, status="waiting").values_list("pk", flat=True))
    batches = list(Batch.objects.filter(send_out=send_out))
    assert all(sum(b.first_message <= pk <= b.last_message for b in batches) == 1 for pk in waiting)
    assert sum(b.messages for b in batches) == len(waiting)
    numbers = Message.objects.filter(send_out=send_out).values_list("pk", flat=True)
    progress = Progress.objects.get(pk=send_out.pk)
    assert (progress.first_message, progress.last_message) == (min(numbers, default=None), max(numbers, default=None))
    assert progress.rows_done_at is not None


@pytest.mark.django_db
@given(
    st.integers(0, 2**63 - 1), st.decimals(0, 50, places=2), st.lists(st.integers(1, 2**62), min_size=1, max_size=40)
)
@DATABASE
def test_the_database_draws_as_python_does(seed: int, percentage: Decimal, numbers: list[int]) -> None:
    draw = Draw(percentage, seed)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {IS_DRAWN} FROM unnest(%(numbers)s::bigint[]) AS c(id)".format(seed=seed, bound=draw.bound),
            {"numbers": numbers},
        )
        assert dict(cursor.fetchall()) == {number: draw.draws(number) for number in numbers}


def test_a_draw_is_about_as_large_as_it_says_and_stays() -> None:
    drawn = [n for n in range(20_000) if Draw(Decimal(10), 42).draws(n)]

    assert 1_800 < len(drawn) < 2_200
    assert drawn == [n for n in range(20_000) if Draw(Decimal(10), 42).draws(n)]
    # A larger share holds the smaller one; another seed draws others.
    assert set(drawn) < {n for n in range(20_000) if Draw(Decimal(20), 42).draws(n)}
    assert drawn != [n for n in range(20_000) if Draw(Decimal(10), 43).draws(n)]


@pytest.mark.django_db(transaction=True)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=12), st.lists(st.booleans(), max_size=12))
@DATABASE
def test_totals_are_a_recount_whenever_one_looks(moves: list[tuple[int, int]], folds: list[bool]) -> None:
    """Given messages of two send-outs, and reports about them, folded now and then."""
    with rolled_back():
        make_people([Person(n, True, "", False) for n in range(3)], set())
        send_outs = [make_send_out(), make_send_out()]
        for each in send_outs:
            start(each.pk)
            making.make_rows(each.pk, 2)
        messages = list(Message.objects.order_by("pk"))
        kinds = [Kind.ACCEPTED, Kind.DELIVERED, Kind.HARD_BOUNCE]

        for number, (message, kind) in enumerate(moves):
            apply([SourcedEvent(Event("p", kinds[kind], SENT_AT, str(number), messages[message].pk))])
            if folds[number : number + 1] == [True]:
                fold()
            check_totals(send_outs)
        for each in send_outs:
            recount(each.pk)
        check_totals(send_outs)


def check_totals(send_outs: list[SendOut]) -> None:
    for pk, totals in totals_of([each.pk for each in send_outs]).items():
        counted = Counter(Message.objects.filter(send_out=pk).values_list("status", flat=True))
        assert totals == counted
