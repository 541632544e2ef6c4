"""Blocks: lifted once, by one, with a history; not made again by what was before."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from threading import Barrier, Thread
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from contacts.blocks.record import AlreadyLiftedError, Evidence, lift, lock, settle
from contacts.history import save_contact
from contacts.models import Address, Block, Cause, Change, Contact
from tests.messaging.conftest import make_contact

AT = datetime(2026, 11, 1, tzinfo=UTC)


def evidence(contact: Contact, at: datetime = AT) -> Evidence:
    assert contact.email_address_id is not None
    return Evidence(contact.email_address_id, at, uuid4(), 7, "one_hard_bounce", "user_unknown", "550 5.1.1", "no user")


def blocked(contact: Contact, at: datetime = AT) -> None:
    with transaction.atomic():
        proof = evidence(contact, at)
        settle([proof], [], held=lock({proof.address_id}))


@pytest.mark.django_db
def test_lifting_ends_the_block_with_a_person_and_a_reason_in_every_history(django_user_model: type[User]) -> None:
    admin = django_user_model.objects.create(username="ada")
    anna, ben = make_contact(email="same@example.org"), make_contact(email="same@example.org")
    blocked(anna)

    ended = lift(Block.objects.get().pk, actor_id=admin.pk, reason="Called her")

    assert (ended.ended_by, ended.end_reason) == (admin, "Called her")
    lifted = Change.objects.filter(kind=Change.Kind.LIFTED, actor=admin, why="Called her")
    assert {change.contact for change in lifted} == {anna, ben}


@pytest.mark.django_db
def test_what_bounced_before_the_lift_does_not_block_again_and_what_bounces_after_does(
    django_user_model: type[User],
) -> None:
    admin = django_user_model.objects.create(username="ada")
    anna = make_contact()
    blocked(anna)
    ended = lift(Block.objects.get().pk, actor_id=admin.pk, reason="Works")
    assert ended.ended_at is not None

    blocked(anna, ended.ended_at - timedelta(minutes=1))
    assert not Block.objects.filter(ended_at=None).exists()

    blocked(anna, ended.ended_at + timedelta(minutes=1))
    assert Block.objects.filter(ended_at=None).count() == 1
    assert Block.objects.count() == 2


@pytest.mark.django_db
def test_a_corrected_address_starts_clean() -> None:
    anna = make_contact()
    blocked(anna)
    anna.email = "right@example.org"
    save_contact(anna, actor_id=None, why="Typing mistake")

    assert not Block.objects.filter(address=anna.email_address).exists()
    change = anna.changes.get(kind=Change.Kind.EDITED)
    assert (change.field, change.new, change.why) == ("email", "right@example.org", "Typing mistake")


@pytest.mark.django_db(transaction=True)
def test_of_two_administrators_at_once_one_lifts_and_the_other_is_told(django_user_model: type[User]) -> None:
    admins = [django_user_model.objects.create(username=name) for name in ("ada", "bob")]
    blocked(make_contact())
    block = Block.objects.get()
    barrier, told = Barrier(2), []

    def run(admin: User) -> None:
        barrier.wait()
        try:
            lift(block.pk, actor_id=admin.pk, reason=admin.username)
            told.append("lifted")
        except AlreadyLiftedError as error:
            told.append(f"was lifted by {error.block and error.block.ended_by}")
        connection.close()

    threads = [Thread(target=run, args=[admin]) for admin in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    block.refresh_from_db()
    assert sorted(told) == ["lifted", f"was lifted by {block.ended_by}"]
    assert Change.objects.filter(kind=Change.Kind.LIFTED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_report_that_waits_for_a_lift_sees_it(django_user_model: type[User]) -> None:
    """A worker with an old hard bounce, held up by the lift's lock, must not block again once the lift commits."""
    admin = django_user_model.objects.create(username="ada")
    anna = make_contact()
    blocked(anna)

    def run() -> None:
        blocked(anna)
        connection.close()

    worker = Thread(target=run)
    with transaction.atomic():
        lift(Block.objects.get().pk, actor_id=admin.pk, reason="Works")
        worker.start()
        worker.join(timeout=0.3)
        assert worker.is_alive()
    worker.join()

    assert not Block.objects.filter(ended_at=None).exists()


@pytest.mark.django_db
def test_an_address_is_one_row_for_all_its_spellings() -> None:
    make_contact(email="Jörg@Bücher.example", mobile="+46 70 123 45 67")
    make_contact(email="jörg@xn--bcher-kva.example", mobile="+46701234567")

    assert sorted(Address.objects.values_list("value", flat=True)) == ["+46701234567", "jörg@bücher.example"]


@pytest.mark.django_db
def test_what_was_imported_stays_so() -> None:
    """Given that a mail of before the import bounced: its report changes nothing, nor could it end the block later."""
    anna = make_contact()
    assert anna.email_address is not None
    Block.objects.create(address=anna.email_address, started_at=AT, cause=Cause.IMPORTED, reason="unknown")

    blocked(anna, AT - timedelta(hours=1))

    assert Block.objects.get().cause == Cause.IMPORTED


@pytest.mark.django_db
def test_blocks_that_were_there_learn_their_domain() -> None:
    anna = make_contact()
    blocked(anna)
    Block.objects.update(domain="")

    import_module("contacts.migrations.0003_block_indexes").fill_domains(None, SimpleNamespace(connection=connection))

    assert Block.objects.get().domain == anna.email.partition("@")[2]


@pytest.mark.django_db
def test_an_address_of_any_length_is_blocked_with_its_line_in_the_history() -> None:
    anna = make_contact(email=f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 40}.example.org")
    blocked(anna)

    assert anna.changes.get(kind=Change.Kind.BLOCKED).field == anna.email
