"""Contacts in the Django admin: edits are in the history, what happened is not edited."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contacts.admin_form import ContactForm
from contacts.models import Address, Block, Change, Contact
from messaging.models import Message
from tests.factories import block_of, hard_bounce, log_in, make_contact, make_message
from tests.staff import staff, superuser

pytestmark = pytest.mark.django_db

ADD = "/admin/contacts/contact/add/"
RECORDS = ["contacts/address", "contacts/block", "contacts/change"]


def page_of(contact: Contact) -> str:
    return reverse("admin:contacts_contact_change", args=[contact.pk])


def filled_in(contact: Contact | None = None, **typed: object) -> dict[str, Any]:
    """The form as a browser sends it: what stood in it when it was opened, and what was typed over it."""
    fields = ["first_name", "last_name", "email", "mobile", "country", "language"]
    stood = {name: getattr(contact, name) if contact else "" for name in fields}
    consents = {name: getattr(contact, name) if contact else True for name in ("accepts_email", "accepts_sms")}
    initial = {f"initial-{name}": str(value) for name, value in (stood | consents).items()} if contact else {}
    ticked = {name: "on" for name, is_given in (consents | typed).items() if name in consents and is_given}
    return {**initial, **stood, **{name: value for name, value in typed.items() if name not in consents}, **ticked}


def what_is_wrong(client: Client, contact: Contact, **typed: object) -> dict[str, list[str]]:
    answer = client.post(page_of(contact), filled_in(contact, **typed))
    assert answer.status_code == 200
    return dict(answer.context["adminform"].errors)


def test_support_adds_a_contact_and_the_history_says_who_and_why() -> None:
    client = staff()

    answer = client.post(ADD, filled_in(first_name="Bo", email="Bo@Example.SE", why="asked by phone"))

    assert answer.status_code == 302
    bo = Contact.objects.get()
    assert bo.email_address == Address.objects.get(value="bo@example.se")
    change = bo.changes.get()
    assert (change.kind, change.why, change.actor_id) == (
        "created",
        "asked by phone",
        int(client.session["_auth_user_id"]),
    )


def test_support_edits_a_contact_and_every_field_is_in_the_history() -> None:
    anna = make_contact(country="SE")

    staff().post(
        page_of(anna), filled_in(anna, first_name="Anne", mobile="070-123 45 67", accepts_sms=False, why="typo")
    )

    anna.refresh_from_db()
    assert (anna.mobile, anna.mobile_digits, anna.accepts_sms) == ("070-123 45 67", "+46701234567", False)
    told = anna.changes.exclude(kind="created").order_by("pk").values_list("kind", "field", "old", "new", "why")
    assert list(told) == [
        ("edited", "first_name", "Anna", "Anne", "typo"),
        ("edited", "mobile", "", "070-123 45 67", "typo"),
        ("opted_out", "sms", "", "", "typo"),
    ]


def test_saving_without_a_change_writes_no_history() -> None:
    anna = make_contact()

    staff().post(page_of(anna), filled_in(anna, why="nothing in the end"))

    before = anna.changed_at
    anna.refresh_from_db()
    assert (anna.changes.count(), anna.changed_at) == (1, before)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("email", "anna@"),
        ("email", "anna\u202e@example.se"),
        ("mobile", "call me"),
        ("mobile", "123"),
        ("mobile", "+8111111111111111111"),
        ("mobile", "+" + "4" * 39),
        ("country", "Sweden"),
        ("country", "1"),
        ("first_name", "A" * 101),
    ],
)
def test_what_is_wrong_is_said_at_its_field(field: str, typed: str) -> None:
    anna = make_contact()

    assert list(what_is_wrong(staff(), anna, **{field: typed})) == [field]
    assert anna.changes.count() == 1


def test_a_page_that_was_open_meanwhile_does_not_undo_an_unsubscribe() -> None:
    anna = make_contact()
    form = filled_in(anna, last_name="Berg")
    Contact.objects.update(accepts_email=False, email_consent_at=timezone.now(), first_name="Annika")

    staff().post(page_of(anna), form)

    anna.refresh_from_db()
    assert (anna.first_name, anna.last_name, anna.accepts_email) == ("Annika", "Berg", False)
    assert list(anna.changes.filter(kind="edited").values_list("field", flat=True)) == ["last_name"]


def test_a_contact_that_is_removed_meanwhile_is_said_so() -> None:
    anna = make_contact()
    form = ContactForm(filled_in(anna, last_name="Berg"), instance=anna)
    Contact.objects.all().delete()

    assert form.errors["__all__"] == ["Somebody has removed this contact meanwhile."]


def test_who_may_only_look_gets_no_form() -> None:
    anna = make_contact()
    client = staff("Marketers")

    page = client.get(page_of(anna)).content.decode()

    assert "Anna" in page
    assert 'name="first_name"' not in page
    assert 'name="why"' not in page
    assert client.post(page_of(anna), filled_in(anna, first_name="Eve")).status_code == 403


def test_only_superusers_remove_contacts_and_the_block_and_the_messages_stay() -> None:
    anna = make_contact()
    message = make_message(anna, hard_bounce())
    block, url = block_of(anna), reverse("admin:contacts_contact_delete", args=[anna.pk])
    assert staff().post(url, {"post": "yes"}).status_code == 403

    client = superuser()
    assert "Yes, I’m sure" in client.get(url).content.decode()
    assert client.post(url, {"post": "yes"}).status_code == 302

    assert not Contact.objects.exists()
    assert not Change.objects.exists()
    assert Block.objects.get() == block
    assert Message.objects.get(pk=message.pk).contact is None


def test_the_block_covers_the_contact_that_comes_after() -> None:
    anna = make_contact(email="anna@example.se")
    make_message(anna, hard_bounce())
    anna.delete()

    staff().post(ADD, filled_in(email="Anna@example.se"))

    assert block_of(Contact.objects.get())


def test_contacts_are_not_removed_in_bulk() -> None:
    make_contact()

    assert "delete_selected" not in superuser().get("/admin/contacts/contact/").content.decode()


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("enter", [staff, superuser])
def test_nobody_makes_changes_or_removes_a_record(record: str, enter: Any) -> None:
    anna = make_contact()
    make_message(anna, hard_bounce())
    pk = {"contacts/address": anna.email_address_id, "contacts/block": block_of(anna).pk}.get(record)
    pk = pk or anna.changes.earliest("pk").pk
    client = enter()

    assert client.get(f"/admin/{record}/{pk}/change/").status_code == 200
    for action in ("add/", f"{pk}/change/", f"{pk}/delete/"):
        assert client.post(f"/admin/{record}/{action}", {"post": "yes"}).status_code == 403
    assert client.post(f"/admin/{record}/", {"action": "delete_selected", "_selected_action": pk}).status_code != 302


@pytest.mark.parametrize(
    "typed", ["{pk}", "#{pk}", "{guid}", "anna lind", "ANNA@example", "070 123 45 67", "+4670123", "lindqvist"]
)
def test_support_finds_a_contact(typed: str) -> None:
    make_contact("Bo", "Ek", email="bo@other.org")
    anna = make_contact(email="anna@example.se", mobile="+46701234567")

    found = staff().get("/admin/contacts/contact/", {"q": typed.format(pk=anna.pk, guid=anna.guid)})

    assert found.context["cl"].result_list == [anna]


def test_a_contacts_number_is_found_though_it_looks_like_somebodys_mobile() -> None:
    bo, anna = make_contact("Bo", mobile="070-123 45 67"), make_contact(id=701234567)

    found = staff().get("/admin/contacts/contact/", {"q": "701234567"}).context["cl"].result_list

    assert found == [anna, bo]


@pytest.mark.parametrize("place", ["contacts/address", "contacts/block", "contacts/change"])
@pytest.mark.parametrize("typed", ["anna@EXAMPLE.se", "lindqvist", "{guid}"])
def test_support_finds_what_belongs_to_a_contact(place: str, typed: str) -> None:
    for name in ("anna", "bo"):
        contact = make_contact(name, f"{name} Lindqvist" if name == "anna" else "Ek", email=f"{name}@example.se")
        make_message(contact, hard_bounce())
    anna = Contact.objects.get(first_name="anna")

    found = staff().get(f"/admin/{place}/", {"q": typed.format(guid=anna.guid)}).context["cl"].result_list

    assert found
    assert {getattr(each, "contact", getattr(each, "address", each)) for each in found} <= {anna, anna.email_address}


@pytest.mark.parametrize("typed", ["'", "%", "_" * 400, "9" * 30, "\ud800", "-", "#", "00"])
def test_any_question_gets_an_answer(typed: str) -> None:
    client = staff()
    for place in ("contact", "address", "block", "change"):
        assert client.get(f"/admin/contacts/{place}/", {"q": typed.encode("utf-8", "replace")}).status_code == 200


def test_a_sign_that_no_text_has_is_refused_before_anybody_asks_for_it() -> None:
    anna = make_contact()

    assert staff().get("/admin/contacts/contact/", {"q": "\0"}).status_code == 400
    assert staff().post(page_of(anna), {"last_name": "A\0"}).status_code == 400
    assert anna.changes.count() == 1


def test_a_contact_shows_its_card_addresses_blocks_and_changes() -> None:
    anna = make_contact(email="anna@example.se")
    message = make_message(anna, hard_bounce())

    page = staff().get(page_of(anna)).content.decode()

    assert anna.get_absolute_url() in page
    assert reverse("admin:contacts_address_change", args=[anna.email_address_id]) in page
    assert reverse("admin:contacts_block_change", args=[block_of(anna).pk]) in page
    assert reverse("admin:messaging_message_change", args=[message.pk]) in page
    assert "Address blocked" in page


def test_a_block_leads_to_the_card_where_it_is_removed() -> None:
    anna = make_contact()
    make_message(anna, hard_bounce())

    page = staff().get(reverse("admin:contacts_block_change", args=[block_of(anna).pk])).content.decode()

    assert anna.get_absolute_url() in page


def test_the_list_says_blocked_and_unsubscribed_in_words() -> None:
    make_message(make_contact(accepts_email=False), hard_bounce())

    page = staff().get("/admin/contacts/contact/").content.decode()

    assert "Blocked</span>" in page
    assert "Unsubscribed</span>" in page


def test_the_way_in_is_the_products_own_log_in() -> None:
    client = Client()

    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == "/login/?next=/admin/"
    assert staff().get("/admin/login/").headers["Location"] == "/admin/"


def test_who_may_not_be_there_is_told_so() -> None:
    answer = log_in().get("/admin/", follow=True)

    assert answer.status_code == 403
    assert "You may not see this" in answer.content.decode()


@pytest.mark.parametrize("place", ["auth/user", "auth/group"])
def test_users_and_groups_are_for_superusers(place: str) -> None:
    assert staff().get(f"/admin/{place}/").status_code == 403
    assert superuser().get(f"/admin/{place}/").status_code == 200


def test_two_presses_add_one_contact() -> None:
    client = staff()
    typed = filled_in(first_name="Bo", email="bo@example.se", mobile="070-123 45 67", country="SE")

    answers = [client.post(ADD, typed) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert Contact.objects.get().changes.count() == 1
    staff().post(ADD, typed)
    assert Contact.objects.count() == 2


def test_who_changes_what_a_colleague_changed_meanwhile_is_warned_and_decides() -> None:
    anna = make_contact(mobile="+46701740611")
    form = filled_in(anna, first_name="Anne", last_name="Berg")
    Contact.objects.update(first_name="Annika")
    client = staff()

    answer = client.post(page_of(anna), form)

    warned = answer.context["adminform"].errors
    assert list(warned) == ["first_name"]
    assert "it is “Annika” now" in warned["first_name"][0]
    anna.refresh_from_db()
    assert (anna.first_name, anna.last_name) == ("Annika", "Lindqvist")
    page = answer.content.decode()
    assert 'value="Anne"' in page
    assert 'name="initial-first_name" value="Annika"' in page
    client.post(page_of(anna), form | {"initial-first_name": "Annika"})
    anna.refresh_from_db()
    assert (anna.first_name, anna.last_name) == ("Anne", "Berg")
