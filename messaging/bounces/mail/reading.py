"""Mails that come back -> what became of each recipient. Pure: no database, no network; never raises."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from messaging.bounces.classify import Verdict, classify, stage_of
from messaging.bounces.codes import codes_in
from messaging.bounces.mail import dsn, feedback, receipts, replies, sns
from messaging.bounces.mail.addresses import is_nobody
from messaging.bounces.mail.forms import general
from messaging.bounces.mail.forms.returned import only_addressee
from messaging.bounces.mail.parsed import ParsedMail, parsed
from messaging.bounces.mail.prose import Prose, reply_code_in
from messaging.bounces.mail.reports import RecipientReport
from messaging.bounces.ways import NO_WAY, is_only_unrouteable

# Our own token (messaging/tracking/tokens.py), unproven, wherever it travels in a header.
TOKEN: Final = re.compile(rb"(?<![a-z0-9])\d{1,18}-[0-9a-f]{16}(?![a-z0-9])", re.IGNORECASE)
# Its last part alone: soon looked for, where a number may begin at any digit.
PROOF: Final = re.compile(rb"-[0-9a-fA-F]{16}")
BOUNCES: Final = frozenset({"failed", "delayed"})
# Below this the words said nothing, and a code decided: then the text for humans is asked as well.
SURE: Final = 0.75
# A code that names the recipient's fault counts for more than what is said to anyone: a signature, a disclaimer.
LIKELY: Final = 0.6
# How sure it is what a mail says of itself.
TOLD: Final = 0.9
# What may be an enhanced status code.
STATUS: Final = re.compile(r"[45]\.\d{1,3}\.\d")
# So many enclosed mails are looked at for one that is a bounce: a forwarded bounce has one.
MOST_ENCLOSED: Final = 5
LONGEST_DIAGNOSTIC: Final = 1_000
# Mails of ours have one recipient, who may pass them on to some; each that is named costs reading the words about it.
MOST_RECIPIENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """What a mail says about one recipient, and what that means."""

    recipient: str  # as the mail names it, decoded; empty where it names none
    action: str  # failed, delayed, delivered, relayed, expanded, feedback, vacation
    bounce: Literal["hard", "soft"] | None  # None where it is no bounce; a delay is soft
    reason: str
    reply_code: str
    status_code: str
    diagnostic: str
    rule: str
    confidence: float
    said_by: str  # the host that refused, or else the one that reports it
    occurred_at: datetime | None
    original_recipient: str
    message_id: str  # of the returned mail, without angle brackets
    feedback_type: str
    tokens: tuple[str, ...]  # what looks like our token in the headers of the returned mail and of this one


class Findings(list[Finding]):
    """A finding for each recipient that was read; `named`: how many the mail names, which may be more."""

    def __init__(self, found: Iterable[Finding] = (), named: int = 0) -> None:
        super().__init__(found)
        self.named = named


def read_mail(raw: bytes) -> Findings:
    """A finding for each of the first MOST_RECIPIENTS, as the mail names them; empty where it is no bounce.

    Never raises. LF, CRLF and CR line ends give the same answer.
    """
    outer = parsed(raw)
    mail, reports = _reports(outer)
    named = len(reports)
    del reports[MOST_RECIPIENTS:]
    if not reports:
        return Findings()
    prose = Prose(mail, [report.recipient for report in reports])
    returned = mail.returned
    message_id = returned.headers.get("message-id").strip("<> ") if returned else ""
    tokens = _tokens(returned, mail, outer)
    return Findings((_finding(report, prose, message_id, tokens) for report in reports), named)


def _reports(mail: ParsedMail) -> tuple[ParsedMail, list[RecipientReport]]:
    """What the mail reports, and the mail that says it: this one, or one that it encloses."""
    if receipts.is_receipt(mail):
        return mail, receipts.read(mail)
    for read in READERS:
        if reports := read(mail):
            return mail, reports
    for enclosed in mail.enclosed[:MOST_ENCLOSED]:
        inner, reports = _reports(enclosed)
        if reports:
            return inner, reports
    return mail, general.read_unnamed(mail) or replies.read(mail)


def _dsn(mail: ParsedMail) -> list[RecipientReport]:
    """The reports of a DSN; one that names no recipient is about whom its text names, or else the returned mail."""
    reports = dsn.read(mail)
    for report in reports:
        if len(reports) == 1 and is_nobody(report.recipient):
            told = [each.recipient for each in general.read(mail)]
            report.recipient = (told[0] if len(told) == 1 else only_addressee(mail)) or report.recipient
    return reports


READERS: Final[tuple[Callable[[ParsedMail], list[RecipientReport]], ...]] = (
    _dsn,
    feedback.read,
    sns.read,
    replies.read_certain,
    general.read,
)


def _tokens(returned: ParsedMail | None, *mails: ParsedMail) -> tuple[str, ...]:
    blocks = [mail.headers.raw for mail in (returned, *mails) if mail]
    found = (token.decode("ascii").lower() for block in blocks if PROOF.search(block) for token in TOKEN.findall(block))
    return tuple(dict.fromkeys(found))


def _finding(report: RecipientReport, prose: Prose, message_id: str, tokens: tuple[str, ...]) -> Finding:
    verdict, said = _verdict(report, prose)
    if verdict.is_hard and is_only_unrouteable(said) and not prose.is_by_recipients_server(report):
        verdict = verdict._replace(reason=NO_WAY, bounce="soft", is_hard=False)
    return Finding(
        recipient=report.recipient,
        action=report.action,
        bounce=_bounce(report, verdict),
        reason=report.reason or verdict.reason,
        reply_code=verdict.reply_code,
        status_code=verdict.status_code,
        diagnostic=said[:LONGEST_DIAGNOSTIC],
        rule=verdict.rule,
        confidence=verdict.confidence,
        said_by=report.said_by,
        occurred_at=report.occurred_at,
        original_recipient=report.original_recipient,
        message_id=report.message_id or message_id,
        feedback_type=report.feedback_type,
        tokens=tokens,
    )


def _bounce(report: RecipientReport, verdict: Verdict) -> Literal["hard", "soft"] | None:
    """A delay is soft: nothing has failed yet, and the address may be good."""
    if report.action not in BOUNCES:
        return None
    return "hard" if verdict.bounce == "hard" and report.action == "failed" else "soft"


def _verdict(report: RecipientReport, prose: Prose) -> tuple[Verdict, str]:
    """What the server's words mean; where they say nothing, what the text for humans says of this recipient."""
    if report.action not in BOUNCES:
        return _as_told(report), report.said
    by_words = classify(
        report.said,
        reply_code=report.reply_code,
        status_code=report.status_code,
        said_by=report.said_by,
        stage=report.stage,
    )
    if by_words.is_hard and not by_words.stage and (stage := stage_of(prose.nearest(report.recipient))):
        # The machine-readable part leaves out in reply to what it was said; the text for humans mostly tells.
        report.stage = stage
        by_words = classify(
            report.said,
            reply_code=report.reply_code,
            status_code=report.status_code,
            said_by=report.said_by,
            stage=stage,
        )
    if by_words.confidence >= SURE and by_words.status_code:
        return by_words, report.said
    if by_words.confidence >= SURE:
        around = report.prose or (prose.about(report.recipient) if STATUS.search(prose.text) else "")
        return _with_codes(report, by_words, around), report.said
    near = report.prose or prose.nearest(report.recipient)
    told = [near, *([] if report.prose or _is_likely(by_words) else [prose.about(report.recipient)])]
    return _better(report, by_words, [" ".join(text.split()) for text in told if text])


def _as_told(report: RecipientReport) -> Verdict:
    """Of what is no bounce: the mail itself says what it is, and the words of a holiday notice mean nothing."""
    reply, status = ("", "") if report.reason else codes_in(report.said)
    return Verdict(
        reason=report.reason or "delivered",
        bounce=None,
        is_hard=False,
        reply_code=report.reply_code or reply,
        status_code=report.status_code or status,
        rule=report.action,
        confidence=TOLD,
        words="",
    )


def _is_likely(verdict: Verdict) -> bool:
    return verdict.bounce == "hard" and verdict.confidence >= LIKELY


def _with_codes(report: RecipientReport, verdict: Verdict, told: str) -> Verdict:
    """The verdict by the status code, too, that stands elsewhere in the text, where it is of the same class."""
    reply, status = codes_in(told)
    if not status or verdict.reply_code[:1] not in {"", status[0]}:
        return verdict
    code = verdict.reply_code or reply
    return classify(report.said, reply_code=code, status_code=status, said_by=report.said_by, stage=report.stage)


def _better(report: RecipientReport, by_words: Verdict, told: list[str]) -> tuple[Verdict, str]:
    """The surest of what the words mean together with each of these texts."""
    best, said = by_words, report.said
    for text in told:
        by_prose = _retold(report, best, text)
        if by_prose.confidence > best.confidence:
            best, said = by_prose, report.said or text
        else:
            # The codes at least; and where nobody understands the words, a person may.
            codes = (by_prose.reply_code, by_prose.status_code)
            said = said or (text if not best.confidence or codes != (best.reply_code, best.status_code) else "")
            best = best._replace(reply_code=codes[0], status_code=codes[1])
        if best.confidence >= SURE:
            break
    return best, said


def _retold(report: RecipientReport, by_words: Verdict, told: str) -> Verdict:
    """What the server's words and those of the text for humans mean together."""
    return classify(
        f"{report.said} ; {told}" if report.said else told,
        reply_code=by_words.reply_code or reply_code_in(told),
        status_code=by_words.status_code,
        said_by=report.said_by,
        stage=report.stage,
    )
