"""Lists of addresses: what is read out of lines, what is reported, and who is meant."""

import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contacts.addresses import normalise_email
from contacts.cells import PLAIN_EMAIL
from contacts.headings import column_of
from contacts.lines import NO_TEXTS, WORKBOOKS
from contacts.listing import Listing
from contacts.models import Channel
from messaging.models import AddressList, ListedAddress
from messaging.sendouts import lists
from messaging.sendouts.audience import IsOnList
from messaging.sendouts.recipient_resolution import ResolutionRules, members
from tests.factories import make_contact, make_user

MIXED = b"""\
Name;Email
Anna;Anna@Example.se
"Bert, the second";bert@example.se

Carl;
+46 70 123 45 67
anna@example.se
nobody@example.se
not@@an.address
"""


def kept(source: bytes) -> AddressList:
    return lists.keep("List", io.BytesIO(source), make_user("").pk)


@pytest.mark.django_db
def test_good_lines_are_kept_and_bad_ones_reported() -> None:
    anna, bert = make_contact(email="anna@example.se"), make_contact(email="bert@example.se")
    carl, dora = make_contact(email="", mobile="+46701234567"), make_contact(email="dora@example.se")

    found = kept(MIXED)

    assert (found.lines, found.known, found.unknown, found.bad) == (7, 3, 1, 2)
    assert [(number, text) for number, text, _ in found.bad_lines] == [(5, "Carl;"), (9, "not@@an.address")]
    audience = IsOnList(found.pk)
    assert members(ResolutionRules(Channel.EMAIL, audience), "waiting") == [bert.pk, anna.pk]
    # Whom it names by the other channel is meant, too.
    assert members(ResolutionRules(Channel.EMAIL, audience), "no_address") == [carl.pk]
    assert dora.pk not in members(ResolutionRules(Channel.EMAIL, audience), "waiting")


@pytest.mark.django_db
def test_a_list_of_many_lines_goes_through_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "BATCH", 7)
    for n in range(20):
        make_contact(email=f"p{n}@example.se")
    source = "".join(f"p{n % 30}@example.se\r\n" for n in range(60)).encode("utf-8-sig")

    found = kept(source)

    assert (found.lines, found.known, found.bad) == (60, 20, 0)
    assert ListedAddress.objects.count() == 20


@pytest.mark.django_db
def test_of_too_many_lines_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_LINES", 3)

    with pytest.raises(lists.TooLongError):
        kept(b"a@example.se\n" * 4)
    assert not AddressList.objects.exists()


@pytest.mark.django_db
def test_latin_1_as_old_spreadsheets_write_it_is_read() -> None:
    make_contact(email="anna@example.se")

    assert kept("Åsa;anna@example.se\n".encode("latin-1")).known == 1


def read(source: str | bytes, channel: str = Channel.EMAIL) -> list[str]:
    chunks = [source.encode() if isinstance(source, str) else source]
    return [value for line in Listing(chunks, channel) for _channel, value in line.addresses]


def wrong(source: str) -> list[str]:
    return [problem for line in Listing([source.encode()]) for problem in line.problems]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("701740699,right@x.example", ["right@x.example"]),
        ("1956-07-12,dup@example.se", ["dup@example.se"]),
        ("19560712-1234;dup@example.se", ["dup@example.se"]),
        ("+46701740699;dup@example.se", ["dup@example.se"]),
        ('dup@example.se,"Kund;VIP"', ["dup@example.se"]),
        ("dup@example.se,Kund;VIP", ["dup@example.se"]),
        ('"Kund;VIP, stor";dup@example.se', ["dup@example.se"]),
        ("jane@x.example, bob@y.example", ["jane@x.example", "bob@y.example"]),
        ("jane@x.example bob@y.example\tcy@z.example", ["jane@x.example", "bob@y.example", "cy@z.example"]),
        ("Anna;a@x.example\nBo, jr;jane@x.example, bob@y.example", ["a@x.example", "jane@x.example", "bob@y.example"]),
        ("Dup One <dup@example.se>", ["dup@example.se"]),
        ('"One, Dup" <dup@example.se>, Two <two@example.se>', ["dup@example.se", "two@example.se"]),
        ("mailto:dup@example.se?subject=x", ["dup@example.se"]),
        ("<a@x.example>;<b@x.example>;", ["a@x.example", "b@x.example"]),
        ("\ufeffdup@example.se\u200b\u00a0,", ["dup@example.se"]),
        ("sep=;\r\nNamn;E-post\r\nAnna, Bo;dup@example.se\r\n", ["dup@example.se"]),
        ('Name;Email\n"Anna\nBerg";dup@example.se\n"Bo ""B"" Ek";bo@example.se', ["dup@example.se", "bo@example.se"]),
        ('"Anna;dup@example.se\nbo@example.se\n', ["dup@example.se", "bo@example.se"]),
        ("Name\tE-Mail-Adresse\tVertreter\nAnna\tdup@example.se\tboss@x.example", ["dup@example.se"]),
        ("Nom;Adresse électronique\nAnna;dup@example.se", ["dup@example.se"]),
        ("Rapport 2026\n\nKundnr,Email opt-in,Email\n7017406990,yes,dup@example.se", ["dup@example.se"]),
        ("Säljare;Kundens e-post\nboss@x.example;dup@example.se", ["dup@example.se"]),
        ("likes @home,dup@example.se", ["dup@example.se"]),
        ("dup@example.se\rbo@example.se\r", ["dup@example.se", "bo@example.se"]),
        ("Mobil;E-post\n0701234567;", ["+46701234567"]),
    ],
)
def test_a_line_names_whom_its_author_meant(source: str, found: list[str]) -> None:
    assert read(source) == found
    for encoding in ("utf-8-sig", "utf-16"):
        assert read(source.encode(encoding)) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("+46701740699;dup@example.se", ["+46701740699"]),
        ("dup@example.se,070-174 06 99", ["+46701740699"]),
        ("701740699,right@x.example", ["right@x.example"]),
        ("1956-07-12,dup@example.se", ["dup@example.se"]),
        ("+46701740699, +46701740698", ["+46701740699", "+46701740698"]),
        ("Anna;0701740699;08-123 456 78", ["+46701740699"]),
        ("Kundnr;Telefon;Mobil;E-post\n7017406990;08-12345678;0701740699;dup@example.se", ["+46701740699"]),
        ("Handynummer;E-Mail\n;dup@example.se", ["dup@example.se"]),
        ("701740699", ["+46701740699"]),
        ("tel:+46701740699", ["+46701740699"]),
    ],
)
def test_for_an_sms_a_number_goes_before_an_email_but_not_before_any_digits(source: str, found: list[str]) -> None:
    assert read(source, Channel.SMS) == found


def test_the_separator_belongs_to_the_file_and_not_to_the_line() -> None:
    assert read("Anna;a@x.example;1,5\nBo;b@x.example;2,5\nCy, jr;c@x.example;3") == [
        "a@x.example", "b@x.example", "c@x.example",
    ]  # fmt: skip


def test_what_is_no_address_is_told() -> None:
    assert len(wrong("nonsense\n1956-07-12\nnot@@an.address\njane@x.example, bob@@y.example\n4,67E+10")) == 5
    assert "shortened" in wrong("4.67E+10")[0]


def test_a_line_of_many_addresses_is_read_to_its_end() -> None:
    many = [f"person{n}@example.se" for n in range(10_000)]

    assert read(", ".join(many)) == many


@pytest.mark.django_db
def test_each_address_of_a_line_is_in_a_count() -> None:
    make_contact(email="jane@x.example")
    found = kept(b"jane@x.example, bob@y.example\nDup One <jane@x.example>, bob@@y\n")

    assert (found.lines, found.known, found.unknown, found.bad, found.repeats) == (4, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("E-post", "email"), ("E-Mail-Adresse", "email"), ("Adresse e-mail", "email"), ("Courriel", "email"),
        ("Mejl", "email"), ("E-postadress (privat)", "email"), ("Email status", ""), ("Mobil", "mobile"),
        ("Mobilnummer", "mobile"), ("Téléphone portable", "mobile"), ("Handy-Nr.", "mobile"), ("Telefon", "phone"),
        ("Phone Number", "phone"), ("Kundnummer", ""), ("Namn", ""), ("Sähköposti", "email"), ("Email opt-in", ""),
    ],
)  # fmt: skip
def test_headings_say_which_column_is_which(heading: str, column: str) -> None:
    assert column_of(heading) == column


@given(st.binary(max_size=300), st.sampled_from(Channel.values))
@settings(deadline=None)
def test_any_line_is_an_address_or_is_refused(line: bytes, channel: str) -> None:
    assume(not line.startswith(WORKBOOKS + NO_TEXTS))
    for found in Listing([line], channel):
        assert found.addresses or found.problems
        for kind, value in found.addresses:
            assert value.startswith("+") if kind == Channel.SMS else "@" in value


@given(st.emails())
@settings(deadline=None)
def test_the_short_way_reads_an_email_as_the_long_one_does(email: str) -> None:
    if PLAIN_EMAIL.fullmatch(email.lower()):
        assert normalise_email(email) == email.lower()


@pytest.mark.parametrize(
    "domain", ["xn--nxasmm1c.example", "XN--STRAE-OQA.example", "shop.xn--nxasmm1c.example", "x.xn--nxasmm1c"]
)
@pytest.mark.django_db
def test_a_domain_in_ascii_and_in_its_own_letters_is_one(domain: str) -> None:
    make_contact(email=f"anna@{domain}")

    for source in (f"anna@{domain}", normalise_email(f"anna@{domain}")):
        assert kept(source.encode()).known == 1
