"""Many blocks removed at once: those that were meant, once, each with its history; and put back where nothing else happened."""

from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from contacts.blocks import record, removal
from contacts.blocks.filters import BlockFilter
from contacts.models import Address, Block, BulkLift, Change, Channel, Contact
from tests.factories import address, ago, block_of, hard_bounce, make_contact, make_message, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("", "ada")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three blocks to a chunk."""
    monkeypatch.setattr(removal, "CHUNK", 3)


def make_block(value: str, **fields: Any) -> Block:
    channel = Channel.EMAIL if "@" in value else Channel.SMS
    known = {"started_at": ago(days=2), "cause": "one_hard_bounce", "reason": "user_unknown", "code": "550 5.1.1"}
    domain = value.partition("@")[2]
    return Block.objects.create(address=address(value, channel), domain=domain, **(known | fields))


def lift(chosen: BlockFilter, actor: User, reason: str = "Their server had a fault") -> BulkLift:
    return removal.start(chosen, newest=removal.preview(chosen).newest, actor_id=actor.pk, reason=reason)


def in_force() -> set[str]:
    return set(Block.objects.filter(ended_at=None).values_list("address__value", flat=True))


def test_every_filter_means_what_it_says(db: None) -> None:
    make_block("a@one.example")
    make_block("b@two.example", code="554 5.7.1", reason="domain_unknown", started_at=ago(days=9))
    make_block("c@sub.one.example", cause="imported", life_at=ago(hours=1), life_by="opened")
    make_block("+46701234567", code="30005")

    def meant(**chosen: Any) -> set[str]:
        return {value[:1] for value in BlockFilter(**chosen).blocks().values_list("address__value", flat=True)}

    assert meant() == {"a", "b", "c", "+"}
    assert meant(address="one.example") == {"a"}
    assert meant(address="b@two.example") == {"b"}
    assert meant(address="+46701234567") == meant(channel="sms") == meant(code="30005") == {"+"}
    assert meant(code="5.7.1") == meant(code="554 5.7.1") == meant(reason="domain_unknown") == {"b"}
    assert meant(code="5.1") == meant(code="0 5.1.1") == set()
    assert meant(cause="imported") == meant(alive=True) == {"c"}
    assert meant(since=ago(days=3), channel="email") == {"a", "c"}
    assert meant(until=ago(days=3)) == {"b"}


@pytest.mark.parametrize(
    ("typed", "address"),
    [("@GMail.com", "gmail.com"), ("*.example.org", ".example.org"), ("Anna@Example.SE", "anna@example.se"),
     ("bücher.example", "bücher.example"), ("xn--bcher-kva.example", "bücher.example"), ("070-123 45 67", "+46701234567")],
)  # fmt: skip
def test_a_domain_or_an_address_may_be_typed_in_any_way(typed: str, address: str) -> None:
    if address.startswith("."):
        with pytest.raises(ValueError, match="domain such as"):
            BlockFilter.of({"address": typed})
    else:
        assert BlockFilter.of({"address": typed}).address == address


def test_a_filter_survives_being_written_down() -> None:
    chosen = BlockFilter(
        "email", "a.example", "user_unknown", "5.1.1", "imported", ago(days=2), ago(days=1), alive=True, ids=(1, 22)
    )

    assert BlockFilter.of(chosen.as_query()) == chosen
    assert BlockFilter.of({}) == BlockFilter()


@pytest.mark.parametrize(
    "query",
    [{"since": "yesterday"}, {"since": "2026-11-03", "until": "2026-11-01"}, {"ids": "1,x"}, {"address": "a b"}],
)
def test_what_makes_no_sense_is_refused_rather_than_left_out(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        BlockFilter.of(query)


def test_what_is_chosen_ends_with_a_record_and_a_line_in_every_history(ada: User) -> None:
    anna, ben, other = make_contact(email="a@x.example"), make_contact(email="a@x.example"), make_contact()
    for contact in (anna, other):
        make_message(contact, hard_bounce())
    make_block("nobody@x.example")

    done = lift(BlockFilter(address="x.example"), ada)

    assert in_force() == {other.email}
    assert (done.expected, done.lifted, done.actor, done.is_running) == (2, 2, ada, False)
    ended = Block.objects.filter(bulk_lift=done)
    assert {(block.ended_by, block.end_reason) for block in ended} == {(ada, "Their server had a fault")}
    told = Change.objects.filter(kind="lifted", why="Their server had a fault", actor=ada, new=str(done.pk))
    assert {change.contact for change in told} == {anna, ben}


def test_reports_of_earlier_bounces_do_not_block_again(ada: User) -> None:
    anna = make_contact()
    make_message(anna, hard_bounce(ago(days=2)))
    lift(BlockFilter(reason="user_unknown"), ada)

    make_message(anna, hard_bounce(ago(days=1)))
    assert in_force() == set()
    make_message(anna, hard_bounce(timezone.now()))
    assert in_force() == {anna.email}


def test_opt_outs_stay_and_so_does_consent(ada: User) -> None:
    for reason in ("complaint", "unsubscribe"):
        make_block(f"{reason}@x.example", reason=reason)
    gone = make_contact(email="gone@x.example", accepts_email=False)
    make_message(gone, hard_bounce())

    seen = removal.preview(BlockFilter(address="x.example"))
    done = lift(BlockFilter(address="x.example"), ada)
    by_number = lift(BlockFilter(ids=tuple(Block.objects.values_list("pk", flat=True))), ada)

    assert (seen.count, seen.opt_outs, done.lifted, by_number.lifted) == (1, 2, 1, 0)
    assert in_force() == {"complaint@x.example", "unsubscribe@x.example"}
    gone.refresh_from_db()
    assert not gone.accepts_email


def test_blocks_made_after_the_preview_are_not_meant(ada: User) -> None:
    make_block("old@x.example")
    chosen = BlockFilter(address="x.example")
    seen = removal.preview(chosen)
    make_block("new@x.example")

    removal.start(chosen, newest=seen.newest, actor_id=ada.pk, reason="Fault")

    assert in_force() == {"new@x.example"}


def test_blocks_held_for_review_are_not_meant(ada: User) -> None:
    make_block("held@x.example", held_at=ago(hours=1))

    assert removal.preview(BlockFilter(address="x.example")).count == 0
    assert lift(BlockFilter(address="x.example"), ada).lifted == 0


def test_all_blocks_at_once_is_refused(ada: User) -> None:
    with pytest.raises(ValueError, match="all blocks"):
        removal.start(BlockFilter(), newest=9, actor_id=ada.pk, reason="Oops")


def test_goes_on_where_a_killed_worker_was(ada: User, small_chunks: None) -> None:
    for number in range(8):
        make_block(f"{number}@x.example")

    begun = lift(BlockFilter(address="x.example"), ada)
    assert (begun.lifted, begun.expected, begun.is_running, len(in_force())) == (3, 8, True, 5)
    assert removal.carry_on() == 1
    begun.refresh_from_db()

    assert (begun.lifted, begun.is_running, in_force()) == (8, False, set())
    assert removal.carry_on() == 0


def test_undoing_puts_back_just_what_was_removed(ada: User) -> None:
    anna = make_contact(email="a@x.example")
    message = make_message(anna, hard_bounce())
    make_block("b@x.example", life_at=ago(hours=1), life_by="opened")
    free = make_block("free@x.example")
    record.lift(free.pk, actor_id=ada.pk, reason="By hand")
    before = list(Block.objects.filter(ended_at=None).order_by("address").values(*KEPT))
    done = lift(BlockFilter(address="x.example"), ada)

    undone = removal.undo(done.pk, actor_id=ada.pk)

    assert list(Block.objects.filter(ended_at=None).order_by("address").values(*KEPT)) == before
    assert (undone.put_back, undone.undone_by, undone.is_running) == (2, ada, False)
    assert Address.objects.get(value="a@x.example").lifted_at is None
    assert Change.objects.filter(contact=anna, kind="put_back", why="user_unknown", new=str(done.pk)).count() == 1
    assert removal.undo(done.pk, actor_id=ada.pk).put_back == 2
    assert Block.objects.filter(message_id=message.pk).count() == 2


KEPT = [
    "address_id", "started_at", "domain", "cause", "reason", "code", "diagnostic", "message_id", "event_key", "last_proof_at",
    "life_at", "life_by", "life_message_id",
]  # fmt: skip


def test_undoing_leaves_alone_where_something_happened_since(ada: User) -> None:
    for value in ("again", "freed", "quiet"):
        make_contact(email=f"{value}@x.example")
        make_block(f"{value}@x.example")
    done = lift(BlockFilter(address="x.example"), ada)
    for value in ("again", "freed"):
        make_message(Contact.objects.get(email=f"{value}@x.example"), hard_bounce(timezone.now()))
    freed = Contact.objects.get(email="freed@x.example")
    record.lift(block_of(freed).pk, actor_id=ada.pk, reason="Works after all")

    undone = removal.undo(done.pk, actor_id=ada.pk)

    assert undone.put_back == 1
    assert in_force() == {"again@x.example", "quiet@x.example"}
    assert Block.objects.filter(address__value="again@x.example").count() == 2


def test_undoing_restores_when_a_person_last_removed_a_block(ada: User) -> None:
    anna = make_contact()
    make_message(anna, hard_bounce(ago(days=3)))
    first = record.lift(block_of(anna).pk, actor_id=ada.pk, reason="Works")
    make_message(anna, hard_bounce(timezone.now()))
    done = lift(BlockFilter(address=anna.email), ada)
    removal.undo(done.pk, actor_id=ada.pk)

    assert Address.objects.get(value=anna.email).lifted_at == first.ended_at


def test_undoing_stops_a_removal_that_still_runs(ada: User, small_chunks: None) -> None:
    for number in range(8):
        make_block(f"{number}@x.example")
    begun = lift(BlockFilter(address="x.example"), ada)

    removal.undo(begun.pk, actor_id=ada.pk)
    removal.carry_on()
    begun.refresh_from_db()

    assert (begun.lifted, begun.put_back, begun.is_running, len(in_force())) == (3, 3, False, 8)


@pytest.mark.django_db(transaction=True)
def test_of_two_administrators_and_a_worker_at_once_each_block_ends_once(small_chunks: None) -> None:
    actors = [make_user("", name) for name in ("ada", "bob")]
    contacts = [make_contact(email=f"{number}@x.example") for number in range(20)]
    for contact in contacts:
        make_message(contact, hard_bounce(ago(days=2)))
    barrier, failed = Barrier(3), []

    def run(work: Any) -> None:
        barrier.wait()
        try:
            work()
        except Exception as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    def remove(actor: User) -> None:
        lift(BlockFilter(address="x.example"), actor)
        removal.carry_on()

    def report_old_bounces() -> None:
        for _ in range(5):
            with transaction.atomic():
                proofs = [
                    record.Evidence(
                        c.email_address_id or 0, ago(days=3), UUID(int=c.pk), 7, "r", "user_unknown", "", ""
                    )
                    for c in reversed(contacts)
                ]
                record.settle(proofs, [], held=record.lock({proof.address_id for proof in proofs}))

    works = [lambda: remove(actors[0]), lambda: remove(actors[1]), report_old_bounces]
    threads = [Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed
    assert in_force() == set()
    assert Change.objects.filter(kind="lifted").count() == Block.objects.count() == 20
    assert sum(BulkLift.objects.values_list("lifted", flat=True)) == 20
