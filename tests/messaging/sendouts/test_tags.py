"""Tags: what is one, what it is filled with, and what is said about one that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.sendouts import contents
from messaging.sendouts.models import Content
from messaging.sendouts.tags import NAMES, Tag, TagError, compiled, html_quoted, plainly
from messaging.smpp.alphabet import GSM_7, UCS_2, in_septets, length_of, parts_of


def test_a_tag_is_filled_in_and_falls_back() -> None:
    text = compiled("Hi [[firstName,dear customer]], is [[ EMAIL ]] yours?")

    assert text.fill({"firstName": "Åsa", "email": "a@b.example"}) == "Hi Åsa, is a@b.example yours?"
    assert text.fill({}) == "Hi dear customer, is  yours?"


def test_values_are_quoted_and_the_text_around_them_is_not() -> None:
    assert compiled("<b>[[firstName]]</b>").fill({"firstName": '<i>"&'}, html_quoted) == "<b>&lt;i&gt;&quot;&amp;</b>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[fristName]]", "Did you mean [[firstName]]?"),
        ("[[shoeSize]]", "There are: [[firstName]]"),
        ("[[]]", "[[]] is not known"),
        ("Hi [[firstName, how are you", "without its ]]"),
        ("Hi firstName]]", "without its ]]"),
    ],
)
def test_what_is_no_tag_is_said_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(TagError) as error:
        compiled(text)

    assert said in str(error.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(TagError) as error:
        compiled("[[one]] [[two]] [[firstName]]")

    assert len(error.value.problems) == 2


def test_without_a_contact_a_tag_shows_what_stands_there_for_want_of_a_value() -> None:
    assert plainly("Hi [[firstName, you]] of [[country]]") == "Hi you of …"


def test_single_brackets_are_text() -> None:
    assert compiled("[firstName] a[0]").fill({}) == "[firstName] a[0]"


@given(st.lists(st.text(st.characters(exclude_characters="[]")) | st.sampled_from(NAMES).map(Tag)))
def test_what_is_written_is_what_is_read(pieces: list[str | Tag]) -> None:
    written = "".join(piece if isinstance(piece, str) else f"[[{piece.name}]]" for piece in pieces)

    assert compiled(written).fill({name: f"<{name}>" for name in NAMES}) == "".join(
        piece if isinstance(piece, str) else f"<{piece.name}>" for piece in pieces
    )


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "parts", "left"),
    [
        ("", GSM_7, 0, 1, 160),
        ("a" * 160, GSM_7, 160, 1, 0),
        ("a" * 161, GSM_7, 161, 2, 145),
        ("€" * 80, GSM_7, 160, 1, 0),
        # The escape and its sign stay together: 152 places and one that is not used.
        ("a" * 152 + "€" * 5, GSM_7, 162, 2, 143),
        ("å" * 160, GSM_7, 160, 1, 0),
        ("ñ" * 70 + "ő", UCS_2, 71, 2, 63),
        ("ő" * 70, UCS_2, 70, 1, 0),
        # A sign beyond the basic plane is two units, which stay together.
        ("ő" * 66 + "😀" * 3, UCS_2, 72, 2, 61),
    ],
)
def test_an_sms_is_as_long_as_its_alphabet_makes_it(
    text: str, alphabet: str, units: int, parts: int, left: int
) -> None:
    length = length_of(text)

    assert (length.alphabet, length.units, length.parts, length.left) == (alphabet, units, parts, left)


def test_the_signs_that_make_it_dear_are_named() -> None:
    assert length_of("Hej “Anna” “").costly == ("“", "”")


@given(st.text(alphabet=st.sampled_from("aZå€{\n@😀Жß ^"), max_size=400))
def test_the_parts_of_an_sms_are_its_text_and_each_fits(text: str) -> None:
    parts, length = parts_of(text), length_of(text)

    assert "".join(parts) == text
    assert len(parts) == length.parts
    room = {GSM_7: (160, 153), UCS_2: (140, 134)}[length.alphabet][len(parts) > 1]
    for part in parts:
        octets = in_septets(part) if length.alphabet == GSM_7 else part.encode("utf-16-be")
        assert len(octets) <= room
        assert octets[-1:] != b"\x1b"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Kom\u00a0nu", "no-break space (U+00A0), after “Kom”"),
        ("Vi har 10\u202f% rabatt", "narrow no-break space (U+202F), after “10”"),
        ("\u200bHej", "zero width space (U+200B)"),
        ("Hej\tdu", "tab (U+0009), after “Hej”"),
        ("“Hej", "“ (curly quote, U+201C)"),
        ("Hej – du", "– (en dash, U+2013)"),
        ("ﬁn", "ﬁ (latin small ligature fi, U+FB01)"),
        ("Hej 🎄", "🎄 (christmas tree, U+1F384)"),
        ("Łódź", "Ł"),
    ],
)
def test_a_sign_that_makes_an_sms_longer_is_named(text: str, named: str) -> None:
    assert length_of(text).named[0] == named


def test_letter_and_accent_are_one_sign_and_one_sms() -> None:
    text = "Jose\u0301 " + "x" * 150
    said = contents.shown(Content(text=text), "sms", {})

    assert said.text == "José " + "x" * 150
    assert said.length is not None
    assert (said.length.alphabet, said.length.parts) == ("GSM-7", 1)
    named = contents.sms_of(Content(text="Hej [[firstName]]"), {"firstName": "Jose\u0301"})
    assert named == "Hej José"
