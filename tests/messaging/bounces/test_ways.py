"""Who says "Unrouteable address": only the recipient's own server knows that an address is dead."""

import pytest

from messaging.bounces.mail.reading import Finding, read_mail
from messaging.bounces.ways import is_only_unrouteable

DSN = """\
From: Mail Delivery System <Mailer-Daemon@{reporter}>
Subject: Mail delivery failed: returning message to sender
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  anna@kunde.example
{told}

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; {reporter}

Action: failed
Final-Recipient: rfc822;anna@kunde.example
Status: 5.0.0
{fields}
--b--
"""
TEXT = """\
From: Mail Delivery System <Mailer-Daemon@mx.shop.example>
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  anna@kunde.example
{told}

------ This is a copy of the message, including all the headers. ------

Return-path: <news@shop.example>
Message-ID: <1@shop.example>
To: anna@kunde.example
Subject: Spring
"""
BARE = "    Unrouteable address"
ASKED = """\
    host mx1.kunde.example [198.51.100.20]
    SMTP error from remote mail server after RCPT TO:<anna@kunde.example>:
    550 Unrouteable address"""
REMOTE = "Remote-MTA: dns; {host}\nDiagnostic-Code: smtp; 550 Unrouteable address\n"


def read(mail: str) -> Finding:
    (found,) = read_mail(mail.encode())
    return found


@pytest.mark.parametrize(
    "mail",
    [
        DSN.format(reporter="mx.shop.example", told=BARE, fields=""),
        DSN.format(reporter="mx.shop.example", told="    Unroutable address", fields=""),
        DSN.format(reporter="mx.shop.example", told=BARE, fields="Diagnostic-Code: smtp; 550 Unrouteable address\n"),
        # Postfix hands everything to a relay of its own house, which refuses.
        DSN.format(reporter="app.shop.example", told=BARE, fields=REMOTE.format(host="relay.shop.example")),
        DSN.format(reporter="mx.shop.example", told=BARE, fields=REMOTE.format(host="mx.shop.example")),
        TEXT.format(told=BARE),
    ],
)
def test_an_address_to_which_our_own_relay_knows_no_way_is_not_dead(mail: str) -> None:
    found = read(mail)

    assert (found.bounce, found.reason) == ("soft", "network")
    assert "address" in found.diagnostic


@pytest.mark.parametrize(
    "mail",
    [
        DSN.format(reporter="mx.shop.example", told=ASKED, fields=REMOTE.format(host="mx1.kunde.example")),
        DSN.format(reporter="mx.shop.example", told=ASKED, fields=""),
        # The recipient's own server took it, and reports.
        DSN.format(reporter="mail.kunde.example", told=BARE, fields=""),
        TEXT.format(told=ASKED),
        TEXT.format(told=BARE).replace("mx.shop.example", "kunde.example"),
    ],
)
def test_an_address_that_its_own_server_does_not_know_is_dead(mail: str) -> None:
    found = read(mail)

    assert (found.bounce, found.reason) == ("hard", "user_unknown")


def test_what_more_is_said_than_that_no_way_is_known_decides() -> None:
    more = DSN.format(reporter="mx.shop.example", told='    unrouteable mail domain "kunde.example"', fields="")

    assert read(more).bounce == "hard"


@pytest.mark.parametrize(
    ("said", "is_only"),
    [
        ("Unrouteable address", True),
        ("550 Unrouteable address", True),
        ("550-5.1.1 unroutable address.", True),
        ("550 5.1.1 <anna@kunde.example>: Unrouteable address", True),
        ("550 unrouteable address (recipient verification): no such local user", False),
        ("550-No such person at this address\n550 unrouteable address", False),
        ("550 User unknown", False),
        ("", False),
    ],
)
def test_nothing_but_that_no_way_is_known(said: str, is_only: bool) -> None:
    assert is_only_unrouteable(said) is is_only
