"""What people type, and whom they find."""

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from contacts import search
from contacts.models import Contact
from tests.factories import make_contact


@pytest.fixture
def anna(db: None) -> Contact:
    make_contact("Bo", "Åberg", email="bo@gmail.com", mobile="+4795123456")
    return make_contact("Anna", "Lindqvist", email="Anna.L@Example.se", mobile="070-123 45 67")


@pytest.mark.parametrize(
    "typed",
    [
        "anna", "ANNA", "indqv", "anna lind", "lindqvist anna", "anna.l@", "l@ex", "an", "li", "070 123 45", "0701234567",
        "070-123", "070.123.45.67", "+46 70 123", "+46 (0)70 123", "0046 70 123", "70123", "(070) 123", "anna 070 12",
        "4567", " anna ", "! anna",
    ],
)  # fmt: skip
def test_finds_anna_alone(anna: Contact, typed: str) -> None:
    assert list(search.find(typed)) == [anna]


@pytest.mark.parametrize("typed", ["", "  ", "!!", "%", "\0", "+4"])
def test_finds_both(anna: Contact, typed: str) -> None:
    assert search.find(typed).count() == 2


@pytest.mark.parametrize(
    "typed", ["annb", "anna berg", "nn", "qv", "070 999", "+47 70", "a%a", "li_dq", "ann\\a", "anna@ 070"]
)
def test_finds_nobody(anna: Contact, typed: str) -> None:
    assert not search.find(typed).exists()


def test_finds_accents_however_they_are_composed(anna: Contact) -> None:
    assert [found.first_name for found in search.find("a\u030aberg")] == ["Bo"]


def test_finds_a_foreign_number_typed_as_at_home(anna: Contact) -> None:
    assert [found.first_name for found in search.find("95 12 34")] == ["Bo"]


@pytest.mark.django_db
@given(st.text(max_size=40))
def test_whatever_is_typed_is_answered(typed: str) -> None:
    list(search.find(typed)[:1])


@pytest.mark.parametrize("typed", ["lindqvist", "li", "070 123", "lin 07"])
def test_the_trigram_index_can_answer(anna: Contact, typed: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = search.find(typed).explain()

    assert "contact_search" in plan
