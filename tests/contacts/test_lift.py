"""Removing the block of an address, on the server."""

import pytest
from django.test import Client
from django.urls import reverse

from contacts.blocks import record
from contacts.models import Block, Change, Contact
from tests.factories import block_of, hard_bounce, htmx, log_in, make_contact, make_message, make_user


@pytest.fixture
def anna(db: None) -> Contact:
    contact = make_contact()
    make_message(contact, hard_bounce())
    return contact


@pytest.fixture
def administrator(db: None) -> Client:
    return log_in("Administrators")


def address_of(contact: Contact) -> str:
    return reverse("contacts:lift", args=[contact.guid, block_of(contact).pk])


def test_dialog_says_what_follows(administrator: Client, anna: Contact) -> None:
    sharer = make_contact("Bo", "Berg", email=anna.email)

    dialog = administrator.get(address_of(anna), headers=htmx("dialog-content")).content.decode()

    assert "The next send-out goes to this address again." in dialog
    assert "it is blocked again" in dialog
    assert sharer.name in dialog


def test_ends_the_block_and_tells_everybodys_history(administrator: Client, anna: Contact) -> None:
    sharer = make_contact("Bo", "Berg", email=anna.email)

    answer = administrator.post(address_of(anna), {"reason": "She called"}, follow=True)

    ended = Block.objects.get()
    assert (ended.end_reason, ended.ended_by_id) == ("She called", int(administrator.session["_auth_user_id"]))
    assert set(Change.objects.filter(kind="lifted", why="She called").values_list("contact", flat=True)) == {
        anna.pk,
        sharer.pk,
    }
    assert f"Block removed: the next send-out goes to {anna.email} again." in answer.content.decode()


def test_htmx_gets_the_new_head_and_the_news(administrator: Client, anna: Contact) -> None:
    answer = administrator.post(address_of(anna), {"reason": "She called"}, headers=htmx("dialog-content"))
    page = answer.content.decode()

    assert answer.status_code == 200
    assert 'id="card-head"' in page
    assert 'hx-swap-oob="true"' in page
    assert "is-blocked" not in page
    assert "Block removed" in page
    assert "block-lifted" in answer.headers["HX-Trigger-After-Settle"]


@pytest.mark.parametrize("reason", ["", "   \n", "x" * 501])
def test_wants_a_reason(administrator: Client, anna: Contact, reason: str) -> None:
    answer = administrator.post(address_of(anna), {"reason": reason}, headers=htmx("dialog-content"))

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert block_of(anna)


@pytest.mark.parametrize("group", ["Marketers", "Support", ""])
def test_is_refused_to_others_and_changes_nothing(anna: Contact, group: str) -> None:
    other = log_in(group)

    for headers in ({}, htmx("dialog-content")):
        assert other.get(address_of(anna), headers=headers).status_code == 403
        assert other.post(address_of(anna), {"reason": "Let me"}, headers=headers).status_code == 403
    assert block_of(anna)


def test_a_forged_request_is_refused(anna: Contact) -> None:
    victim = Client(enforce_csrf_checks=True)
    victim.force_login(make_user("Administrators"), backend="engage.permissions.Backend")

    answer = victim.post(address_of(anna), {"reason": "Evil"}, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert "The page was open for too long" in answer.content.decode()
    assert block_of(anna)


def test_a_stranger_has_to_log_in(client: Client, anna: Contact) -> None:
    answer = client.post(address_of(anna), {"reason": "Me"})

    assert answer.status_code == 403
    assert reverse("login") in answer.content.decode()
    assert block_of(anna)


def test_of_two_administrators_the_later_learns_who_was_first(administrator: Client, anna: Contact) -> None:
    address, first = address_of(anna), make_user("Administrators", "eva")
    record.lift(block_of(anna).pk, actor_id=first.pk, reason="The mailbox works again")

    late = administrator.post(address, {"reason": "Me, too"}, headers=htmx("dialog-content"))
    page = late.content.decode()

    assert late.status_code == 409
    for words in ("removed this block already", "eva", "The mailbox works again", 'hx-swap-oob="true"'):
        assert words in page, words
    assert Change.objects.filter(kind="lifted").count() == 1
    assert administrator.post(address, {"reason": "Me, too"}).status_code == 409
    assert "removed this block already" in administrator.get(address).content.decode()


def test_block_of_somebody_else_is_not_removed(administrator: Client, anna: Contact) -> None:
    other = make_contact("Bo", "Berg")
    address = reverse("contacts:lift", args=[other.guid, block_of(anna).pk])

    assert administrator.post(address, {"reason": "Oops"}).status_code == 404
    assert block_of(anna)
