"""Nothing that we wrote ourselves may make a verdict hard: not the mail that came back, nor our own server's name."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.bounces.classify import classify
from messaging.bounces.mail.reading import read_mail

DEAD: Final = (
    "550 5.1.1 user unknown", "No such user here", "This mailbox does not exist", "User unknown", "Unbekannter Empfänger",
    "Domain not found", "Host unknown", "The address is no longer valid", "552 5.2.2 mailbox full", "account disabled",
    "<p>550 5.1.1 &lt;anna@kunde.example&gt;: Recipient address rejected</p>", "anna@kunde.example is unknown",
    "----- Original message -----", "Final-Recipient: rfc822; anna@kunde.example", "Status: 5.1.1", "Action: failed",
    ">>> RCPT To:<anna@kunde.example>", "<<< 550 5.1.1 no such user",
)  # fmt: skip
OURS: Final = st.lists(st.sampled_from(DEAD), min_size=1, max_size=6)
NAMES: Final = st.sampled_from(
    ["user-unknown.example", "no-such-user.example", "unknown.recipient.example", "mx.example"]
)
# What the other side said: of us, of the message, or for now. Each without our words is soft.
SOFT: Final = st.sampled_from([
    "550 5.7.1 Message rejected as spam (in reply to end of DATA command)",
    "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org (in reply to RCPT TO command)",
    "552 5.2.2 Mailbox full (in reply to RCPT TO command)",
    "550 5.1.8 Sender address rejected: Domain not found (in reply to MAIL FROM command)",
    "550 5.1.1 <news@verein.example>: User unknown (in reply to MAIL FROM command)",
    "450 4.1.1 anna@kunde.example: User unknown (in reply to RCPT TO command)",
    "550 User unknown (in reply to end of DATA command)",
])  # fmt: skip
PLAIN: Final = """\
From: MAILER-DAEMON@{name} (Mail Delivery System)
To: news@verein.example
Subject: Undelivered Mail Returned to Sender

This is the mail system at host {name}.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<anna@kunde.example>: host mx.kunde.example[198.51.100.3] said: {said}

--- Below this line is a copy of the message.

Return-Path: <news@verein.example>
Received: by {name}; Sat, 4 Apr 2026 10:00:00 +0200
From: News <news@verein.example>
To: anna@kunde.example
Subject: {subject}
Content-Type: text/{kind}

{body}
"""
REPORT: Final = """\
From: MAILER-DAEMON@{name} (Mail Delivery System)
To: news@verein.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="a-boundary"

--a-boundary
Content-Type: text/plain

This is the mail system at host {name}.

<anna@kunde.example>: host mx.kunde.example[198.51.100.3] said: {said}

--a-boundary
Content-Type: message/delivery-status

Reporting-MTA: dns; {name}

Final-Recipient: rfc822; anna@kunde.example
Action: failed
Diagnostic-Code: smtp; {said}

--a-boundary
Content-Type: message/rfc822

From: News <news@verein.example>
To: anna@kunde.example
Subject: {subject}
Content-Type: text/{kind}

{body}
--a-boundary--
"""


@pytest.mark.parametrize("form", [PLAIN, REPORT], ids=["in words", "as a DSN"])
@settings(deadline=None, max_examples=150)
@given(SOFT, OURS, OURS, NAMES, st.sampled_from(["plain", "html"]))
def test_no_words_of_ours_make_it_hard(
    form: str, said: str, subject: list[str], body: list[str], name: str, kind: str
) -> None:
    text = "<html><body>" + "<br>".join(body) + "</body></html>" if kind == "html" else "\n".join(body)
    mail = form.format(said=said, name=name, subject=" ".join(subject), kind=kind, body=text)

    for found in read_mail(mail.encode()):
        assert found.bounce != "hard", (found, mail)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("550 5.1.8 user unknown", "sender_rejected"),
        ("550 5.2.2 no such user", "mailbox_full"),
        ("550 5.3.4 user unknown", "message_too_big"),
        ("550 5.7.26 user unknown", "authentication"),
    ],
)
def test_where_words_and_code_contradict_each_other_it_is_soft(said: str, reason: str) -> None:
    verdict = classify(said)

    assert (verdict.bounce, verdict.reason) == ("soft", reason)
    assert verdict.confidence < 0.5


def test_a_hard_verdict_names_its_evidence() -> None:
    verdict = classify(
        "host mx.kunde.example[198.51.100.3] said: 550 5.1.1 <anna@kunde.example>: User unknown (in reply to RCPT TO command)"
    )

    assert (verdict.matched, verdict.stage, verdict.reply_code) == ("user unknown", "recipient", "550")
