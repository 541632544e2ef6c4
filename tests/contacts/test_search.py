"""What people type, and whom they find."""

import unicodedata

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from contacts import search
from contacts.folding import fold, fold_word
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


@pytest.mark.parametrize("typed", ["", "  ", "\0", "\u200b", "+4"])
def test_finds_both(anna: Contact, typed: str) -> None:
    assert search.find(typed).count() == 2


@pytest.mark.parametrize(
    "typed",
    [
        "!!",
        "%",
        "_",
        "😀",
        "annb",
        "anna berg",
        "nn",
        "qv",
        "070 999",
        "+47 70",
        "a%a",
        "li_dq",
        "ann\\a",
        "anna@ 070",
    ],
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


# First name, last name; then what others type.
SPELLINGS = {
    ("Åsa", "Hallström-Öberg"): [
        "oberg",
        "öberg",
        "ÖBERG",
        "Hallström, Åsa",
        "hallstrom oberg",
        "Hallström\u2013Öberg",
        "hallstroem",
        "Oeberg",
        "aasa",
        "asa",
        "a\u030asa",
        "\uff28allstr\u00f6m",
        "as",
        "ås",
    ],
    ("Jürgen", "Groß"): ["jurgen", "Juergen", "jürgen", "ju\u0308rgen", "GROSS", "GROẞ", "groß", "Groß,Jürgen", "jü"],
    ("Juergen", "Gross"): ["jürgen", "groß", "Juergen"],
    ("Ελένη", "Παπαδόπουλος"): ["παπαδοπουλος", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "παπαδόπουλοσ", "ελενη", "Ελένη"],
    ("Zoe\u0308", "Smith"): ["zoë", "zoe", "ZOË", "zoe\u0308", "zoé"],
    ("Ka\u200brin", "Ny\u00adman"): ["karin", "nyman", "ka\u200brin", "kar\ufeffin nym"],
    ("İpek", "Yıldız"): ["ipek", "İPEK", "IPEK", "yildiz", "YILDIZ", "yıldız", "Yıldız, İpek"],
    ("Łukasz", "Đorđević"): ["lukasz", "łukasz", "dordevic", "djordjevic", "đorđević"],
    ("Søren", "Kjær"): ["soren", "sören", "soeren", "kjaer", "kjær", "kjär"],
    ("Íñigo", "Françoise"): ["inigo", "francoise", "FRANÇOISE"],
    ("Siobhán", "O’Connor"): ["O'Connor", "oconnor", "o’connor", "O´Connor", "siobhan o`connor"],
    ("Семён", "Королёв"): ["семен", "семён", "КОРОЛЕВ", "королёв"],
    ("Anna-Lena", "Ek"): ["anna lena", "anna-lena", "anna\u2010lena", "lena-anna"],
    ("أحمد", "مُحَمَّد"): ["احمد", "محمد"],
    ("민수", "김"): ["김민수", "민수김", "김 민수", "민수"],
    ("花子", "山田"): ["山田花子", "山田 花子", "花子"],
    ("太郎", "佐々木"): ["佐々木太郎"],
    ("100 % 😀", "a_b"): ["%", "_", "😀", "100 %", "😀 100", "a_b", "a_"],
}


@pytest.mark.parametrize(
    ("name", "typed"), [(name, typed) for name, spellings in SPELLINGS.items() for typed in spellings]
)
@pytest.mark.django_db
def test_a_person_is_found_as_others_write_the_name(name: tuple[str, str], typed: str) -> None:
    there = make_contact(*name, email="")
    make_contact("Nobody", "Else", email="other@example.com")

    assert list(search.find(typed)) == [there]


@pytest.mark.parametrize(
    "typed",
    [
        "<anna.l@example.se>", "Anna Lindqvist <Anna.L@Example.se>", '"Lindqvist, Anna" <anna.l@example.se>',
        "mailto:anna.l@example.se", "MAILTO:anna.l%40example.se?subject=Hi", "anna.l@example.se.", "anna.l@example.se,",
        "(anna.l@example.se)", "anna.l\uff20example.se", "anna.l@\u200bexample.se", "Lindqvist, Anna", "Lindqvist;Anna",
        "tel:+46701234567", "tel:+46-70-123-45-67;ext=5", "sms:+46701234567?body=Hi", "070\u2013123 45 67",
        "070\u00a0123\u00a045\u00a067", "(070) 123\u201145\u201167", "\uff10\uff17\uff10 123", "+46 (0)70\u2013123", "٠٧٠١٢٣٤٥٦٧",
    ],
)  # fmt: skip
def test_an_address_is_found_as_it_was_copied(anna: Contact, typed: str) -> None:
    assert list(search.find(typed)) == [anna]


@pytest.mark.parametrize("stored", ["jo@bücher.example", "jo@xn--bcher-kva.example"])
@pytest.mark.parametrize(
    "typed",
    ["jo@bücher.example", "jo@xn--bcher-kva.example", "JO@XN--BCHER-KVA.example", "mailto:jo@bu\u0308cher.example"],
)
@pytest.mark.django_db
def test_a_domain_beyond_ascii_is_found_in_both_its_forms(stored: str, typed: str) -> None:
    there = make_contact(email=stored)
    make_contact(email="jo@bocher.example")

    assert list(search.find(typed)) == [there]


def test_two_letters_are_one_only_where_a_name_has_that_letter(anna: Contact) -> None:
    make_contact("Joel", "Samuelsson", email="")

    assert not search.find("jol").exists()
    assert [found.first_name for found in search.find("uelsson")] == ["Joel"]


def test_postgresql_folds_as_python_does(db: None) -> None:
    """Of the letters and signs of Europe and its neighbours: those of others may be younger than one of the two."""
    known = [*range(0x20, 0x700), *range(0x1E00, 0x2000), *range(0x2010, 0x2BFF), *range(0x1F300, 0x1F650)]
    signs = [chr(code) for code in known if unicodedata.category(chr(code)) not in {"Cn", "Cc"}]
    with connection.cursor() as cursor:
        cursor.execute("SELECT sign, contacts_fold(sign) FROM unnest(%s::text[]) AS sign", [signs])
        differing = {sign: (here, fold(sign)) for sign, here in cursor.fetchall() if here != fold(sign)}

    assert not differing


@pytest.mark.django_db
@given(st.text(st.characters(max_codepoint=0x6FF, exclude_categories=["Cs", "Cn", "Cc"]), max_size=30))
def test_a_text_is_found_by_itself(typed: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT contacts_fold(%s)", [typed])
        (here,) = cursor.fetchone()

    assert here == fold(typed)
    assert fold_word(typed).replace("'", "") in here


def test_rows_that_are_written_past_the_model_are_found_too(anna: Contact) -> None:
    Contact.objects.filter(pk=anna.pk).update(last_name="Öberg")

    assert list(search.find("oberg lind")) == []
    assert list(search.find("oeberg anna")) == [anna]


@pytest.mark.parametrize("typed", ["lindqvist", "li", "070 123", "lin 07", "söder", "%", "😀", "a_", "o'b"])
def test_the_trigram_index_can_answer(anna: Contact, typed: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = search.find(typed).explain()

    assert "contact_search" in plan
