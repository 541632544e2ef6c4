"""Addresses as spreadsheets, mail programs and web pages write them: in lists of people and of blocks they are the same."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from contacts.addresses import normalise_email
from contacts.blocks.reading import BlockLine, Layout, read
from contacts.lines import UnreadableListError
from contacts.listing import Listing
from contacts.models import Channel
from messaging.suppression.list_reasons import reason_from


def of_people(source: bytes) -> list[str]:
    return [value for line in Listing([source], Channel.EMAIL) for _channel, value in line.addresses]


def of_blocks(source: bytes) -> list[str]:
    found = read([source], reason_from, Layout())
    return [each.value for each in found if isinstance(each, BlockLine)]


def wrong_with_people(source: bytes) -> list[str]:
    return [problem for line in Listing([source], Channel.EMAIL) for problem in line.problems]


def wrong_with_blocks(source: bytes) -> list[str]:
    found = read([source], reason_from, Layout())
    return [each.problem for each in found if not isinstance(each, BlockLine)]


both = pytest.mark.parametrize("found_in", [of_people, of_blocks])
wrong_in_both = pytest.mark.parametrize("wrong_with", [wrong_with_people, wrong_with_blocks])


@pytest.mark.parametrize(
    "cell",
    [
        "anna@x.example", "ANNA@X.Example", "Anna Lind <anna@x.example>", "<mailto:anna@x.example>", "anna@x.example (Anna)",
        "mailto:anna@x.example?subject=Hi", "[Anna](mailto:anna@x.example)", "E-post: anna@x.example", "anna@x.example;",
        "\u00a0anna@x.example\u202f", "\u200ban\u200bna@x.exam\u00adple\ufeff", "\u202aanna@x.example\u202c",
        "=anna@x.example", "'anna@x.example", "\u2018anna@x.example\u2019", "\u201canna@x.example\u201d", "\u00abanna@x.example\u00bb",
        "anna@x.example.", "anna@x.example bo", "Anna: anna@x.example", "SMTP:anna@x.example", "anna\uff20x.example",
        "- anna@x.example", "1. anna@x.example", "anna@x.example!", "<td>anna@x.example</td>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@both
def test_one_email_however_it_is_written(found_in: Callable[[bytes], list[str]], encoding: str, cell: str) -> None:
    assert found_in(f"Email\r\n{cell}\r\n".encode(encoding)) == ["anna@x.example"]


@pytest.mark.parametrize(
    "line", ['="anna@x.example"', '"=""anna@x.example"""', '"=HYPERLINK(""mailto:anna@x.example"")"']
)
@both
def test_a_formula_is_its_value(found_in: Callable[[bytes], list[str]], line: str) -> None:
    assert found_in(f"Email;Namn\r\n{line};Anna\r\n".encode()) == ["anna@x.example"]


@pytest.mark.parametrize(
    "cell",
    [
        "+46701740611", "46701740611", "0046701740611", "'+46701740611", "=+46701740611", '="+46701740611"', "070-174 06 11",
        "070\u00a0174\u00a006\u00a011", "(070) 174 06 11", "+46 (0)70-174 06 11", "tel:+46701740611", "\u200b+46701740611",
        "701740611", "46701740611.0", '"46701740611,00"', '"46,701,740,611"',
    ],
)  # fmt: skip
@both
def test_one_number_however_it_is_written(found_in: Callable[[bytes], list[str]], cell: str) -> None:
    assert found_in(f"Mobil\r\n{cell}\r\n".encode()) == ["+46701740611"]


@pytest.mark.parametrize("cell", ["4.67E+10", "4,67017E+10", "4E+10", "4,67017406e10"])
@pytest.mark.parametrize("head", ["Mobil\r\n", "Mobil;Namn\r\n"])
@wrong_in_both
def test_a_number_that_a_spreadsheet_has_shortened_is_told(
    wrong_with: Callable[[bytes], list[str]], head: str, cell: str
) -> None:
    (problem,) = wrong_with(f"{head}{cell}\r\n".encode())

    assert "shortened" in problem


@both
def test_a_name_with_signs_that_stand_between_addresses_is_nobody_elses(found_in: Callable[[bytes], list[str]]) -> None:
    assert found_in(b"Email\r\nkarl|anna@x.example\r\n") == ["karl|anna@x.example"]


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\n", b"{\\rtf1 a@x.example}", b"\x1f\x8b\x08", b"PK\x03\x04xl", b"\xd0\xcf\x11\xe0"]
)
@both
def test_a_file_that_is_no_text_is_refused_with_what_to_do(
    found_in: Callable[[bytes], list[str]], content: bytes
) -> None:
    with pytest.raises(UnreadableListError, match="CSV"):
        found_in(content)


@pytest.mark.parametrize("head", ["Email\r\n", "\ufeffEmail;Namn;;;\r\n", "Email;Namn\r\n;;\r\n\r\n"])
def test_headings_alone_are_an_empty_list(head: str) -> None:
    assert of_people(head.encode()) == []
    with pytest.raises(UnreadableListError, match="empty"):
        of_blocks(head.encode())


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("anna", "must have an @-sign"), ("anna@@x.example", "more than one @-sign"), ("an na@x.example", "a blank"),
        ("anna@x .example", "a blank"), ("@x.example", "before the @-sign"), ("anna@", "after the @-sign"),
        ("anna@localhost", "no period"), ("x@i\u2764.example", "\u201c\u2764\u201d cannot stand"),
        ("x@xn--i-7iq.example", "no such domain"), ("x@xn--zzzzzz99999.example", "no such domain"), ("x@a_b.example", "\u201c_\u201d"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_email_is_told_in_plain_words(typed: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        normalise_email(typed)

    assert told in refused.value.messages[0]
    assert "odepoint" not in refused.value.messages[0]


def test_what_nobody_sees_is_no_part_of_an_email() -> None:
    assert normalise_email("\u202a\u200ban\u00adna@x.exam\u2060ple\u202c\u00a0") == "anna@x.example"
