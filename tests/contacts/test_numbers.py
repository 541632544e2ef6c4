"""What people type as a mobile number: the one number that is meant, or words about what is wrong with it."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from contacts.addresses import display_mobile, known_mobile, normalise_mobile
from contacts.blocks.record import IN_FORCE
from contacts.models import Block, Change, Channel, Contact
from tests.factories import hard_bounce, make_contact, make_message
from tests.staff import staff

TYPED = "0701740612"
MEANT = "+46701740612"


@pytest.mark.parametrize(
    "typed",
    [
        "0701740612", "070-174 06 12", "070.174.06.12", "070/174 06 12", "(070) 174 06 12", " 070 174 06 12\n",
        "+46 70 174 06 12", "+46 (0)70-174 06 12", "+460701740612", "0046 70 174 06 12", "0046(0)701740612",
        "070\u2013174\u00a006\u202f12", "070\u2212174\u201306\u201212", "+46\u200b701740612", "\u202a+46701740612\u202c",
        "０７０１７４０６１２", "＋46701740612", "٠٧٠١٧٤٠٦١٢", "०७०१७४०६१२",
        "tel:+46-70-174-06-12", "TEL:+46701740612", "sms:+46701740612", "tel:0701740612;phone-context=+46",
    ],
)  # fmt: skip
def test_one_number_however_it_is_written(typed: str) -> None:
    assert normalise_mobile(typed) == MEANT


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("070-174 05 11 ext. 5", "extension"),
        ("070-174 05 11 ext5", "extension"),
        ("0701740511 x5", "extension"),
        ("+46701740511;ext=5", "extension"),
        ("0701740511#5", "extension"),
        ("0701740511,5", "extension"),
        ("070-174 05 11 anknytning 5", "extension"),
        ("0701740511, 0701740512", "several"),
        ("0701740511/0701740512", "several"),
        ("0701740511 eller 0701740512", "several"),
        ("+46701740511 +46701740512", "several"),
        ("+46701740511\n+46701740512", "several"),
        ("0800-FLOWERS", "FLOWERS"),
        ("070 174 05 11 (Anna)", "Anna"),
        ("O701740511", "“O”"),
        ("070174O511", "“O”"),
        ("070-174 05 ?1", "“?”"),
        ("+46015123456789", "no such number"),
        ("0701740", "no such number"),
        ("+46701740", "no such number"),
        ("+4600000000", "no such number"),
        ("+10000000000", "no such number"),
        ("+11234567890", "no such number"),
        ("+4412345678", "no such number"),
        ("+46 70 174 05 11 23", "too few or too many"),
        ("112", "too few or too many"),
        ("+999123456789", "no phone number"),
        ("call me", "no phone number"),
        ("+", "no phone number"),
    ],
)
def test_what_is_no_number_is_refused_in_words(typed: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        normalise_mobile(typed)

    assert told in " ".join(refused.value.messages)


@pytest.mark.parametrize(
    "number",
    # Ofcom and PTS keep some for films and examples; one is for machines; the last ones are landlines.
    ["+447700900123", "+46701740605", "+4745000123", "+12025550143", "+3197010280000", "+4681234567", "+390612345678"],
)
def test_numbers_for_examples_and_of_all_kinds_are_taken(number: str) -> None:
    assert normalise_mobile(number) == number


@given(st.text(max_size=60))
def test_whatever_is_typed_is_a_number_or_refused(typed: str) -> None:
    try:
        found = normalise_mobile(typed)
    except ValidationError:
        return
    assert normalise_mobile(found) == found
    assert normalise_mobile(display_mobile(found)) == found


def test_a_number_that_wrote_to_us_exists() -> None:
    assert known_mobile("+46015123456789") == "+46015123456789"


@pytest.fixture
def blocked(db: None) -> Contact:
    """Typed as in Sweden, and blocked by a hard bounce."""
    bo = make_contact("Bo", mobile=TYPED, country="SE")
    make_message(bo, hard_bounce(provider="twilio"), channel=Channel.SMS)
    return bo


def edit(contact: Contact, **typed: str) -> None:
    """As a browser does it: the form as it stands, with this typed over it."""
    page = reverse("admin:contacts_contact_change", args=[contact.pk])
    client = staff()
    form = client.get(page).context["adminform"].form
    sent: dict[str, Any] = {}
    for field in form:
        value = field.value()
        if value is not False:
            sent[field.html_name] = "" if value is None else str(value)
            sent[f"initial-{field.html_name}"] = sent[field.html_name]
    answer = client.post(page, sent | typed)
    assert answer.status_code == 302, answer.context["adminform"].errors


@pytest.mark.parametrize("typed", [{"country": "DE"}, {"country": ""}, {"first_name": "Bob"}, {"language": "de"}])
def test_a_number_stays_the_same_and_blocked_whatever_else_is_edited(blocked: Contact, typed: dict[str, str]) -> None:
    edit(blocked, **typed)

    blocked.refresh_from_db()
    assert blocked.mobile_digits == MEANT
    assert blocked.mobile_address is not None
    assert blocked.mobile_address.value == MEANT
    assert Block.objects.filter(IN_FORCE, address=blocked.mobile_address).exists()
    assert set(blocked.changes.filter(kind=Change.Kind.EDITED).values_list("field", flat=True)) == set(typed)


def test_the_form_shows_a_number_as_it_was_understood(blocked: Contact) -> None:
    page = staff().get(reverse("admin:contacts_contact_change", args=[blocked.pk])).content.decode()

    assert 'value="+46 70 174 06 12"' in page


def test_a_number_that_is_typed_anew_is_read_as_of_the_country_of_now(blocked: Contact) -> None:
    edit(blocked, mobile="0151 23456789", country="DE")

    blocked.refresh_from_db()
    assert blocked.mobile_digits == "+4915123456789"


def test_addresses_from_before_these_rules_do_not_stop_an_edit(blocked: Contact) -> None:
    Contact.objects.update(mobile="+46015123456789", mobile_digits="+46015123456789", email="no address")

    edit(blocked, first_name="Bob")

    blocked.refresh_from_db()
    assert (blocked.first_name, blocked.mobile_digits, blocked.email) == ("Bob", "+46015123456789", "no address")
    assert blocked.mobile_address == Block.objects.get().address
