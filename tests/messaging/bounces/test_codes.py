"""Codes in a server's words, and what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.bounces.codes import better_of, codes_in


@pytest.mark.parametrize(
    ("said", "reply_code", "status_code"),
    [
        ("550 5.1.1 no", "550", "5.1.1"),
        ("smtp; 550-5.7.26 no", "550", "5.7.26"),
        ("smtp;550 5.1.1 <a@example.org>", "550", "5.1.1"),
        ("550 #5.1.0 Address rejected.", "550", "5.1.0"),
        ("#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##", "550", "5.1.1"),
        ("#5.1.1 smtp;550 5.1.1 User unknown", "550", "5.1.1"),
        ("<mail.example.org #5.1.1>", "", "5.1.1"),
        ("Sorry, no mailbox here by that name. (#5.1.1)", "", "5.1.1"),
        ("lost connection [#4.4.2]", "", "4.4.2"),
        ("552 sorry, too big (#5.3.4)", "552", "5.3.4"),
        ("host 10.5.1.1 said: 421 later", "421", ""),
        ("host mx.example.org[10.5.1.1] said: 550 5.1.1 no", "550", "5.1.1"),
        ("4.2.2", "", "4.2.2"),
        ("5.1.1.", "", "5.1.1"),
        ("5.1.0 - Unknown address error 550-'5.1.1 no'", "550", "5.1.1"),
        ("553 5.3.0 <a@example.org>... User unknown", "553", "5.3.0"),
        ("SMTP error from remote mail server after RCPT TO:<a@example.org>: 550 No such user", "550", ""),
        ("rejected by Exim 4.9.2", "", ""),
        ("Postfix 2.11.0 says no", "", ""),
        ("on 2.11.2023 it failed", "", ""),
        ("not delivered after 450 seconds", "", ""),
        ("a limit of 500 messages", "", ""),
        ("250 2.0.0 OK", "250", "2.0.0"),
        ("2.1.5 recipient ok", "", "2.1.5"),
        ("550 5.0.0 failed: 550 5.1.1 unknown", "550", "5.1.1"),
        ("no code at all", "", ""),
        ("", "", ""),
    ],
)
def test_codes_are_read_out_of_the_words(said: str, reply_code: str, status_code: str) -> None:
    assert codes_in(said) == (reply_code, status_code)


@given(st.text(alphabet="0123456789. -#[]();:abc\n"))
def test_what_is_found_is_a_code(said: str) -> None:
    reply, status = codes_in(said)

    assert reply == "" or (len(reply) == 3 and reply.isdecimal() and reply in said)
    assert status == "" or (status[0] in "245" and len(status.split(".")) == 3 and status in said)


@pytest.mark.parametrize(
    ("given_code", "found", "better"),
    [
        ("", "5.1.1", "5.1.1"),
        ("5.0.0", "5.1.1", "5.1.1"),
        ("5.1.0", "5.1.1", "5.1.1"),
        ("5.0.0", "5.1.0", "5.1.0"),
        ("5.1.1", "5.2.2", "5.1.1"),
        ("4.0.0", "5.1.1", "4.0.0"),
        ("5.1.1", "", "5.1.1"),
        ("5.0.0", "", "5.0.0"),
    ],
)
def test_the_more_telling_code_counts(given_code: str, found: str, better: str) -> None:
    assert better_of(given_code, found) == better
