"""Complaints: ARF (RFC 5965, 6591, 6650), and the feedback loops that are not quite ARF."""

import re
from collections.abc import Iterator
from typing import Final

from messaging.bounces.mail.addresses import address_of
from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ADDRESS, ParsedMail, is_enclosed_mail
from messaging.bounces.mail.reports import RecipientReport

FEEDBACK_TYPE: Final = re.compile(r"^Feedback-Type[ \t]*:[ \t]*([\w\-]+)", re.IGNORECASE | re.MULTILINE)
OTHER_FIELD: Final = re.compile(
    r"^(?:User-Agent|Version|Original-Rcpt-To|Original-Mail-From|Source-IP|Arrival-Date|Received-Date|Reported-Domain|"
    r"Removal-Recipient)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
FIELD: Final = re.compile(r"^([A-Za-z][\w\-]*)[ \t]*:[ \t]*([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
# Microsoft's JMRP encloses the mail and names the recipient in a header of it; staff@hotmail.com sends it.
JMRP_SENDER: Final = re.compile(r"^staff@(?:hotmail|outlook|live|msn)\.com$|@jmrp\.|^jmrp@", re.IGNORECASE)
JMRP_SUBJECT: Final = re.compile(r"complaint about (?:a )?message|abuse report", re.IGNORECASE)
# By whom a mail was received, in the order of what tells most.
RECIPIENT_HEADERS: Final = (
    "x-hmxmroriginalrecipient",
    "x-original-to",
    "x-envelope-to",
    "envelope-to",
    "delivered-to",
    "x-rcpt-to",
    "to",
)
REDACTED: Final = re.compile(r"redacted|\bhidden\b|removed|xxxx", re.IGNORECASE)


def read(mail: ParsedMail) -> list[RecipientReport]:
    """A report for each recipient who complained; empty where the mail is no complaint."""
    for part in mail.parts:
        if part.type == "message/feedback-report" or (
            part.type.startswith(("text/", "message/")) and not is_enclosed_mail(part.type)
        ):
            text = part.text
            if (match := FEEDBACK_TYPE.search(text)) and (
                part.type == "message/feedback-report" or OTHER_FIELD.search(text)
            ):
                return _reports(match[1].lower(), _fields(text), mail)
    if JMRP_SENDER.search(mail.sender) and mail.enclosed and JMRP_SUBJECT.search(mail.subject):
        return _reports("abuse", {}, mail)
    return []


def _reports(kind: str, fields: dict[str, list[str]], mail: ParsedMail) -> list[RecipientReport]:
    named = [
        address
        for name in ("original-rcpt-to", "removal-recipient")
        for value in fields.get(name, ())
        for address in _addresses(value)
    ]
    recipients = list(dict.fromkeys(named)) or list(_of_returned(mail))[:1] or [""]
    when = moment_of(mail.headers.get("date"), *fields.get("arrival-date", ()), *fields.get("received-date", ()))
    said_by = (
        next(iter(fields.get("reporting-mta", ())), "").rpartition(";")[2].strip() or mail.sender.rpartition("@")[2]
    )
    return [
        RecipientReport(
            recipient, action="feedback", feedback_type=kind, reason=_reason(kind), said_by=said_by, occurred_at=when
        )
        for recipient in recipients
    ]


def _reason(kind: str) -> str:
    """A complaint, but for what no person complained about: failed authentication (RFC 6591), and "this is no spam"."""
    return {"auth-failure": "authentication", "not-spam": "delivered"}.get(kind, "complaint")


def _fields(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in FIELD.findall(text):
        found.setdefault(name.lower(), []).append(" ".join(value.split()))
    return found


def _addresses(value: str) -> Iterator[str]:
    for piece in value.split(","):
        if "@" in piece:
            yield address_of(piece)


def _of_returned(mail: ParsedMail) -> Iterator[str]:
    """Who received the mail that came back; a recipient that was made unreadable is left out."""
    if mail.returned:
        for name in RECIPIENT_HEADERS:
            match = ADDRESS.search(mail.returned.headers.get(name))
            if match and not REDACTED.search(match[0]):
                yield match[0]
