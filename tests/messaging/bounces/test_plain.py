"""The plain form in which rules look for words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.bounces import plain as plain_form
from messaging.bounces.plain import may_match_marks, parted, plain


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("User unknown", " user unknown ; "),
        ("<a@b.example>:\n  User\r\n unknown.", " @ user unknown ; ; "),
        ("Empf\u00e4nger unbekannt", " empfanger unbekannt ; "),
        ("doesn't exist", " doesnt exist ; "),
        ("&lt;a@b.example&gt; unknown", " @ unknown ; "),
        ("<p>User <b>unknown</b></p>", " user unknown ; "),
        ("host mx.spam.example said: no", " host % ; no ; mx.spam.example "),
        ("refused by zen.spamhaus.org, 192.0.2.7", " refused by % # ; zen.spamhaus.org 192.0.2.7 "),
        ("ＵＳＥＲ　unknown", " user unknown ; "),
    ],
)
def test_words_in_their_plain_form(said: str, words: str) -> None:
    assert plain(said) == words


def test_codes_fall_out_so_that_words_of_two_lines_stand_together() -> None:
    said = "550-5.1.1 does\n550-5.1.1 not exist\n550 5.1.1 q"

    assert plain(said) == " does not exist q ; "


@given(st.text())
def test_words_are_apart_by_one_blank(said: str) -> None:
    words = plain(said)

    assert words[0] == words[-1] == " "
    assert "\n" not in words


def test_every_frame_has_a_word_by_which_it_is_looked_for() -> None:
    for frame in plain_form._FRAMES:
        assert not plain_form._FRAME_WORDS.isdisjoint(frame.split()), frame


def test_replies_that_differ_only_in_whom_they_name_have_one_template() -> None:
    first, _ = parted("550 5.1.1 <anna@one.example>: no such user at mx1.one.example [192.0.2.7] 8A7F1")
    second, _ = parted("550-5.1.1 <bo@two.example>:\n no such user at mx.two.example [198.51.100.9] 17")

    assert first == second == "@ no such user at % # %"


@pytest.mark.parametrize(
    ("pattern", "may_match"),
    [
        ("user unknown", False),
        ("(is )?full [^ ]*", False),
        ("[^ ]*spamhaus[^ ]*", True),
        ("[^ ]*quota[^ ]* (exceeded )?", True),
        ("null ?-?mx", True),
        ("mailbox full|as%", True),
        ("用户", True),
    ],
)
def test_a_pattern_that_asks_for_a_word_of_letters_matches_no_marks(pattern: str, may_match: bool) -> None:
    assert may_match_marks(pattern) == may_match
