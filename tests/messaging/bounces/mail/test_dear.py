"""A stranger's mail full of addresses costs work in proportion to its length, and little of it."""

from itertools import count, islice

import pytest

from messaging.bounces.mail.reading import MOST_RECIPIENTS, read_mail
from messaging.inbox import reports
from messaging.incoming import mails
from messaging.models import Report
from tests.work import calls


def full_of_addresses(lines: int) -> bytes:
    names = (f"a{number}@b.example" for number in count())
    body = "\n".join(" ".join(islice(names, 60)) for _ in range(lines))
    head = "From: MAILER-DAEMON@x.example\nTo: b@y.example\nSubject: Undelivered Mail Returned to Sender\n\n"
    return f"{head}The following recipients failed permanently:\n\n{body}\n".encode()


def calls_of(lines: int) -> int:
    mail = full_of_addresses(lines)
    return calls(lambda: read_mail(mail))


def test_twice_the_addresses_are_at_most_twice_the_work() -> None:
    calls_of(8)  # what is made once
    once, twice = calls_of(8), calls_of(16)

    assert twice < 2.1 * once


def test_a_mail_that_names_thousands_is_about_the_first_hundred() -> None:
    found = read_mail(full_of_addresses(30))

    assert [each.recipient for each in found] == [f"a{number}@b.example" for number in range(MOST_RECIPIENTS)]


@pytest.mark.django_db
def test_support_reads_that_a_bounce_names_more_recipients_than_were_read() -> None:
    reports.keep_one(mails.kept(full_of_addresses(3), "smtp"))

    reports.apply_pending()

    assert Report.objects.get().error == "Only the first 100 of 180 recipients were read."
