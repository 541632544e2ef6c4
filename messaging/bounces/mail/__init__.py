"""Mails that come back -> what became of each recipient. Pure: no database, no network; never raises."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from messaging.bounces.classify import classify
from messaging.bounces.mail import dsn, forms
from messaging.bounces.mail.parsed import ParsedMail, parsed
from messaging.bounces.mail.reports import Report
from messaging.bounces.reasons import HARD

# Our own token (messaging/tokens.py), unproven, wherever it travels in a header.
TOKEN: Final = re.compile(rb"(?<![a-z0-9])\d{1,18}-[a-z2-7]{16}(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a mail says about one recipient, and what that means."""

    recipient: str  # as the mail names it, decoded; empty where it names none
    action: str  # failed, delayed, delivered, relayed, expanded, feedback, vacation
    bounce: str | None  # hard, soft, or None where it is no bounce
    reason: str
    reply_code: str
    status_code: str
    diagnostic: str
    rule: str
    confidence: float
    said_by: str
    occurred_at: datetime | None
    original_recipient: str
    message_id: str  # of the returned mail
    feedback_type: str
    tokens: tuple[str, ...]  # what looks like our token in the headers of the returned mail and of this one


def read_mail(raw: bytes) -> list[Finding]:
    """A finding for each recipient, in the order in which the mail names them; empty where it is no bounce.

    Never raises. LF, CRLF and CR line ends give the same answer.
    """
    mail = parsed(raw)
    reports = dsn.read(mail) or forms.read(mail)
    if not reports:
        return []
    returned = mail.returned
    message_id = returned.headers.get("message-id").strip("<> ") if returned else ""
    tokens = _tokens(mail, returned)
    return [_finding(report, message_id, tokens) for report in reports]


def _tokens(mail: ParsedMail, returned: ParsedMail | None) -> tuple[str, ...]:
    blocks = (returned.headers.raw if returned else b"", mail.headers.raw)
    found = (token.decode("ascii").lower() for block in blocks for token in TOKEN.findall(block))
    return tuple(dict.fromkeys(found))


def _finding(report: Report, message_id: str, tokens: tuple[str, ...]) -> Finding:
    said = report.said or " ".join(report.prose.split())
    verdict = classify(said, reply_code=report.reply_code, status_code=report.status_code)
    is_bounce = report.action in ("failed", "delayed")
    bounce = None
    if is_bounce:
        bounce = "hard" if verdict.reason in HARD and verdict.is_hard and report.action == "failed" else "soft"
    return Finding(
        report.recipient, report.action, bounce, verdict.reason if is_bounce else "delivered",
        verdict.reply_code, verdict.status_code, report.said, verdict.rule, 0.5,
        report.said_by, report.occurred_at, report.original_recipient, report.message_id or message_id,
        report.feedback_type, tokens,
    )  # fmt: skip
