"""Bounces in plain words of any mail system: the last resort, when neither a DSN nor a known form is there.

Nothing here knows a vendor. A mail is taken for a bounce by what all have in common (a mail server wrote it, and it
says that a mail was not delivered), and its recipients are the addresses which it names in the places where bounces
name them. What fits that only half is left alone: an ordinary mail must not become a bounce.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ADDRESS, ParsedMail
from messaging.bounces.mail.phrases import either, phrases
from messaging.bounces.mail.prose import Prose, has_no_return_path, is_daemon
from messaging.bounces.mail.reports import Report

FAILED: Final = phrases("failed")
STILL_TRYING: Final = phrases("still_trying")
GAVE_UP: Final = phrases("gave_up")
DELIVERED: Final = phrases("delivered")
BOUNCE_SUBJECT: Final = re.compile(rf"\W*{either('bounce_subject')}", re.IGNORECASE)
ANSWERED: Final = re.compile(rf"\s*{either('answered')}\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE)
ORIGINAL_FOLLOWS: Final = re.compile(rf"\W*{either('original_follows')}", re.IGNORECASE)
SMTP_PREFIX: Final = re.compile(r"^smtp=", re.IGNORECASE)
# A line on which an address is not a recipient but a sender, a helper, a header.
OF_OTHERS: Final = re.compile(
    r"^\W*(?:from|sender|message[- ]?id|reply[- ]to|subject|betreff|absender|von|de\b|expéditeur|da\b|mittente|od\b|"
    r"от\b|差出人|发件人|寄件者|return-path|cc|received|date|sent|server|host|queue|id)\b[^\n]{0,40}?[:=：]|"
    r"mail from:|from <|contact|postmaster@|mailer-daemon@|help(?:desk)?@|support@|abuse@|mailto:|https?://|\bfrom:",
    re.IGNORECASE,
)
# Where bounces name a recipient: at the begin of a line, after RCPT TO, after a label or a colon.
BEFORE: Final = r"[ \t\[]*(?:smtp[:=])?[<\"'\[(]?"
IN_PLACE: Final = re.compile(
    rf"(?:^[ \t>*\-•·|]*|rcpt to: ?|[:：]|\b{either('before_recipient')}\b[ \t]*[:=]?){BEFORE}$", re.IGNORECASE
)
RECIPIENT_HEADERS: Final = (
    "to",
    "cc",
    "delivered-to",
    "x-original-to",
    "x-envelope-to",
    "envelope-to",
    "x-rcpt-to",
    "resent-to",
)
RECEIVED_FOR: Final = re.compile(r"\bfor\s+<?([^\s<>;]+@[^\s<>;]+)>?")
MOST_RECIPIENTS: Final = 500
LONGEST_LOOK: Final = 20_000


def read(mail: ParsedMail) -> list[Report]:
    """A report for each recipient that the text names; empty where this is no bounce, or nobody is named."""
    if not is_notice(mail):
        return []
    recipients = recipients_of(mail)
    prose = Prose(mail, recipients)
    action, when = action_of(mail), moment_of(mail.headers.get("date"))
    return [
        Report(recipient, action=action, prose=prose.about(recipient), occurred_at=when) for recipient in recipients
    ]


def is_notice(mail: ParsedMail) -> bool:
    """Whether a mail server tells of a mail that it could not deliver."""
    subject, text = mail.subject, mail.text[:LONGEST_LOOK]
    by_subject = bool(FAILED.search(subject) or STILL_TRYING.search(subject))
    by_text = bool(FAILED.search(text) or STILL_TRYING.search(text))
    if is_daemon(mail):
        return by_subject or by_text
    if ANSWERED.match(subject) or not {"list-id", "list-unsubscribe"}.isdisjoint(mail.headers.fields):
        return False
    is_typical = has_no_return_path(mail) or mail.returned or "auto-submitted" in mail.headers
    return by_subject and by_text and bool(is_typical or BOUNCE_SUBJECT.match(subject))


def action_of(mail: ParsedMail) -> str:
    """Failed, delayed (still being tried) or delivered."""
    subject, text = mail.subject, mail.text[:LONGEST_LOOK]
    if DELIVERED.search(subject) and not FAILED.search(text):
        return "delivered"
    if STILL_TRYING.search(subject) or (STILL_TRYING.search(text) and not GAVE_UP.search(subject + "\n" + text)):
        return "delayed"
    return "failed"


def recipients_of(mail: ParsedMail) -> list[str]:
    """Whom the notice says it did not reach, in the order of the text."""
    if failed := mail.headers.all("x-failed-recipients"):
        return list(dict.fromkeys(match[0] for value in failed for match in ADDRESS.finditer(value)))
    named = list(_named(mail))
    of_returned = _recipients_of_returned(mail)
    for choice in (
        [name for name in named if name.is_after_failure and name.is_in_place and name.address.lower() in of_returned],
        [name for name in named if name.is_after_failure and name.is_in_place],
        [name for name in named if name.address.lower() in of_returned],
        [name for name in named if name.is_in_place],
        named,
    ):
        if choice:
            return _unrepeated(name.address for name in choice)
    return list(of_returned.values()) if len(of_returned) == 1 else []


@dataclass(frozen=True, slots=True)
class Named:
    """An address of the text that may be a recipient."""

    address: str
    is_in_place: bool  # it stands where bounces name a recipient
    is_after_failure: bool  # on the line that says that a mail was not delivered, or below


def _named(mail: ParsedMail) -> Iterator[Named]:
    strangers = set(_senders(mail))
    has_failed = has_named = False
    for line in mail.text[:LONGEST_LOOK].split("\n"):
        has_failed = has_failed or bool(FAILED.search(line) or STILL_TRYING.search(line))
        if has_named and ORIGINAL_FOLLOWS.match(line):
            return
        if "@" not in line or OF_OTHERS.search(line):
            continue
        for match in ADDRESS.finditer(line[:1000]):
            address = SMTP_PREFIX.sub("", match[0].strip("'`*"))
            if address.lower() not in strangers:
                has_named = True
                yield Named(address, bool(IN_PLACE.search(line[: match.start()])), has_failed)


def _unrepeated(addresses: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for address in addresses:
        found.setdefault(address.lower(), address)
    return list(found.values())[:MOST_RECIPIENTS]


def _senders(mail: ParsedMail) -> Iterable[str]:
    """The mail server, we who sent the mail, and whom the bounce went to: none of them is the recipient."""
    headers = (mail.headers, mail.returned.headers if mail.returned else None)
    for block in filter(None, headers):
        for name in ("from", "sender", "return-path", "reply-to", "errors-to"):
            if address := block.address(name):
                yield address.lower()
    for name in ("to", "delivered-to", "x-original-to"):
        if address := mail.headers.address(name):
            yield address.lower()


def _recipients_of_returned(mail: ParsedMail) -> dict[str, str]:
    """Lower-cased address -> address, of those to whom the returned mail went."""
    if not mail.returned:
        return {}
    headers = mail.returned.headers
    found = [
        match[0]
        for name in RECIPIENT_HEADERS
        for value in headers.all(name)[:3]
        for match in ADDRESS.finditer(value[:LONGEST_LOOK])
    ]
    if not found:
        found = [match[1] for value in headers.all("received")[:1] for match in RECEIVED_FOR.finditer(value)]
    return {address.lower(): address for address in found[:MOST_RECIPIENTS]}
