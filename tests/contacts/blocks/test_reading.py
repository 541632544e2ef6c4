"""Block lists as people have them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import assume, given
from hypothesis import strategies as st

from contacts.addresses import normalise_email
from contacts.blocks.reading import Bad, BlockLine, Layout, read
from contacts.cells import emails_in
from contacts.lines import UnreadableListError
from messaging.suppression.list_reasons import reason_from

LISTS = Path(__file__).with_name("lists")
NOVEMBER = datetime(2025, 11, 1, tzinfo=UTC)


def read_all(content: bytes | str, size: int = 7) -> list[BlockLine | Bad]:
    """In small pieces, so that everything is cut somewhere."""
    data = content.encode() if isinstance(content, str) else content
    return list(read((data[at : at + size] for at in range(0, len(data), size)), reason_from, Layout()))


def good(content: bytes | str) -> list[BlockLine]:
    found = read_all(content)
    assert all(isinstance(each, BlockLine) for each in found), found
    return [each for each in found if isinstance(each, BlockLine)]


def values(content: bytes | str) -> list[str]:
    return [line.value for line in good(content)]


def test_sendgrid_has_the_servers_words_in_reason_and_seconds_in_created() -> None:
    first, second = good((LISTS / "sendgrid_bounces.csv").read_bytes())

    assert first == BlockLine(2, first.channel, "anna@example.com", NOVEMBER, "user_unknown", "5.1.1", "")
    assert (second.value, second.reason, second.code) == ("bo@example.org", "mailbox_full", "4.2.2")


def test_postmark_names_complaints_which_stay_opt_outs() -> None:
    found = good((LISTS / "postmark_suppressions.csv").read_bytes())

    assert [(line.value, line.reason) for line in found] == [
        ("anna@example.com", "user_unknown"),
        ("bo@example.org", "complaint"),
        ("cia@example.org", "unsubscribe"),
    ]
    assert {line.started_at for line in found} == {datetime(2025, 11, 1, 9, 30, tzinfo=UTC)}


def test_a_german_spreadsheet_has_semicolons_and_latin_1() -> None:
    line, bad = read_all((LISTS / "spreadsheet_de.csv").read_bytes())

    assert isinstance(line, BlockLine)
    assert (line.number, line.value, line.reason) == (3, "jörg@bücher.example", "mailbox_full")
    assert isinstance(bad, Bad)
    assert (bad.number, bad.text) == (4, ";fehlt;")
    assert "no address" in bad.problem


def test_utf_16_with_tabs_and_two_addresses_in_a_line() -> None:
    lines = good((LISTS / "utf16_tabs.txt").read_bytes())

    assert [(line.channel, line.value) for line in lines] == [("email", "åsa@example.se"), ("sms", "+46701234567")]
    assert {line.number for line in lines} == {2}


def test_without_a_header_and_with_old_line_ends() -> None:
    anna, bo, bad = read_all((LISTS / "plain.txt").read_bytes())

    assert isinstance(anna, BlockLine)
    assert isinstance(bo, BlockLine)
    assert isinstance(bad, Bad)
    assert (anna.value, bo.value, bad.number, bad.text) == ("anna@example.com", "bo@example.org", 3, "cia@@example.org")
    assert bad.problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_encoding_line_end_and_delimiter(encoding: str, end: str, delimiter: str) -> None:
    text = f"Name{delimiter}Email{end}Åsa{delimiter}åsa@example.se{end}{end}Bo{delimiter}bo@example.se"

    assert [(line.number, line.value) for line in good(text.encode(encoding))] == [
        (2, "åsa@example.se"),
        (4, "bo@example.se"),
    ]


@pytest.mark.parametrize(
    ("typed", "value"),
    [("'+46701234567", "+46701234567"), ("46701234567", "+46701234567"), ("070-123 45 67", "+46701234567"),
     ("'=cmd@example.com", "=cmd@example.com"), ("'\uff1dcmd@example.com", "\uff1dcmd@example.com"),
     ("<anna@example.com>", "anna@example.com")],
)  # fmt: skip
def test_what_spreadsheets_do_to_addresses_is_undone(typed: str, value: str) -> None:
    assert values(f'Address\n"{typed}"\n') == [value]


@pytest.mark.parametrize(
    ("line", "told"),
    [("anna,2025-11-01", "@"), ("anna@example.com,03/04/2025", "2026-11-03"), ("4.67E+10,", "Text"), (",2025-11-01", "Write one"),
     ("12,", "country code"), ("anna@localhost,", "not valid")],
)  # fmt: skip
def test_a_bad_line_says_what_to_do_and_the_rest_goes_on(line: str, told: str) -> None:
    bad, fine = read_all(f"address,date\n{line}\nbo@example.org,\n")

    assert isinstance(bad, Bad)
    assert told in bad.problem
    assert bad.number == 2
    assert isinstance(fine, BlockLine)


def test_a_quotation_mark_that_is_never_closed_is_told_with_its_line() -> None:
    found = read_all('email,message\na@x.example,"open\n' + "b@x.example,\n" * 30_000, size=10_000)

    bad = next(each for each in found if isinstance(each, Bad))
    assert bad.number == 2
    assert "not closed" in bad.problem
    assert sum(isinstance(each, BlockLine) for each in found) > 15_000


def test_a_date_of_the_future_is_cut_to_now() -> None:
    (line,) = good("email,date\na@x.example,2999-01-01\n")
    assert line.started_at is not None
    assert line.started_at <= timezone.now()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"name,town\nAnna,Umea\n", "No column"),
    ],
)
def test_what_is_no_list_is_refused_with_advice(content: bytes, told: str) -> None:
    with pytest.raises(UnreadableListError, match=told):
        read_all(content)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(content: bytes) -> None:
    try:
        read_all(b"email,reason,code,date,message\n" + content)
        read_all(content)
    except UnreadableListError:
        pass


@given(st.emails() | st.from_regex(r"[a-zA-Z0-9.+_-]{1,70}@[a-z0-9.-]{1,40}", fullmatch=True))
def test_the_fast_way_says_what_normalise_email_says(typed: str) -> None:
    """But for marks around an address, which are taken off first."""
    assume(typed.strip("'.:*`|") == typed)
    try:
        expected = [normalise_email(typed)]
    except ValidationError:
        expected = []

    assert [value for _channel, value in emails_in(typed)[0]] == expected


@pytest.mark.parametrize(
    ("head", "line", "found"),
    [
        # As Excel writes it: what stands above the headings, columns left empty, a column whose name says more.
        ("Spärrlista 2026;;\n;;\nNamn;E-post;Mobil\n", "Anna;anna@x.example;;;", ["anna@x.example"]),
        ("Namn;E-post;Adress\n", "Anna;anna@x.example;Storgatan 1, 123 45 Umeå", ["anna@x.example"]),
        ("Telefon;Mobil\n", "08-123 456 78;070-174 06 12", ["+46701740612"]),
        ("Kundens e-post;Namn\n", "anna@x.example;Anna", ["anna@x.example"]),
        ("Email\n", "anna@x.example;bo@x.example", ["anna@x.example", "bo@x.example"]),
        ("Email;Namn\n", '"anna@x.example\nbo@x.example";"Anna, Bo"', ["anna@x.example", "bo@x.example"]),
        ("", '"Lind, Anna";anna@x.example\nBo;bo@x.example', ["anna@x.example", "bo@x.example"]),
    ],
)  # fmt: skip
def test_a_list_as_excel_writes_it(head: str, line: str, found: list[str]) -> None:
    assert [each.value for each in read_all(head + line) if isinstance(each, BlockLine)] == found


def test_what_stands_above_the_headings_is_told() -> None:
    title, anna = read_all("Spärrlista 2026;\n\nE-post;Namn\nanna@x.example;Anna\n")

    assert isinstance(title, Bad)
    assert (title.number, title.text) == (1, "Spärrlista 2026;")
    assert isinstance(anna, BlockLine)
    assert anna.number == 4


@pytest.mark.parametrize(
    "date", ["01.11.2025", "1.11.2025 00:00", "1.11.2025, 00:00:00", "2025-11-01 00:00", "2025-11-1"]
)
def test_a_day_as_excel_writes_it(date: str) -> None:
    (line,) = good(f'Email;Datum\nanna@x.example;"{date}"\n')

    assert line.started_at == timezone.make_aware(datetime(2025, 11, 1))  # noqa: DTZ001 -- in the zone of the settings


def test_of_two_addresses_the_bad_one_does_not_take_the_good_one_along() -> None:
    fine, bad = read_all("Email;Mobil\nanna@x.example;070\n")

    assert isinstance(fine, BlockLine)
    assert isinstance(bad, Bad)


def test_a_long_list_is_read_in_flat_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b"email\n"
        for number in range(20_000):
            yield b"a%d@x.example\n" % number

    stream = read(endless(), reason_from, Layout())
    assert isinstance(next(stream), BlockLine)
    assert sum(1 for _ in stream) == 19_999


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    pieces = (b"email\n", *(b"x" * 100_000 for _ in range(20)))
    assert all(isinstance(each, Bad) and len(each.text) <= 200 for each in read(iter(pieces), reason_from, Layout()))
