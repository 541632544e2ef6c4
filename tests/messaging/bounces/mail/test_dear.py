"""A stranger's mail full of addresses costs work in proportion to its length, and little of it."""

import sys
from itertools import count, islice

from messaging.bounces.mail import MOST_RECIPIENTS, read_mail


def full_of_addresses(lines: int) -> bytes:
    names = (f"a{number}@b.example" for number in count())
    body = "\n".join(" ".join(islice(names, 60)) for _ in range(lines))
    head = "From: MAILER-DAEMON@x.example\nTo: b@y.example\nSubject: Undelivered Mail Returned to Sender\n\n"
    return f"{head}The following recipients failed permanently:\n\n{body}\n".encode()


def calls(mail: bytes) -> int:
    """How many functions, of ours and of Python's, reading it takes."""
    made = 0

    def note(_frame: object, event: str, _given: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        read_mail(mail)
    finally:
        sys.setprofile(None)
    return made


def test_twice_the_addresses_are_at_most_twice_the_work() -> None:
    calls(full_of_addresses(8))  # what is made once
    once, twice = calls(full_of_addresses(8)), calls(full_of_addresses(16))

    assert twice < 2.1 * once


def test_a_mail_that_names_thousands_is_about_the_first_hundred() -> None:
    found = read_mail(full_of_addresses(30))

    assert [each.recipient for each in found] == [f"a{number}@b.example" for number in range(MOST_RECIPIENTS)]
