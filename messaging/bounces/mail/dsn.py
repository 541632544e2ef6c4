"""Delivery status notifications (RFC 3464, with RFC 6522 and 6533), also where a server writes them carelessly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from messaging.bounces.codes import vagueness
from messaging.bounces.mail.addresses import address_of, is_full, original_address
from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ParsedMail, is_enclosed_mail
from messaging.bounces.mail.prose import is_from_daemon
from messaging.bounces.mail.reports import RecipientReport
from messaging.bounces.ways import is_same_house

STATUS_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
# A part of another type is taken for a delivery status only where all of this is in it.
NAMES_RECIPIENT: Final = re.compile(r"^(?:Final|Original)[- ]Recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)
TELLS_FATE: Final = re.compile(r"^(?:Action|Status|Diagnostic-Code)[ \t]*:", re.IGNORECASE | re.MULTILINE)
FIELD: Final = re.compile(r"([A-Za-z][\w\-]*(?: Recipient)?)[ \t]*:[ \t]*(.*)")
RECIPIENT_FIELDS: Final = frozenset({"final-recipient", "original-recipient"})
ACTIONS: Final = ("failed", "delayed", "delivered", "relayed", "expanded")
# Words that RFC 3464 section 2.3.3 does not know, and servers write.
OTHER_ACTIONS: Final = {
    word: action
    for action, said in {
        "failed": "failure fail error hard permanent bounced expired rejected undeliverable",
        "delayed": "deferred delay warning soft",
        "delivered": "delivery success",
        "relayed": "transferred relay",
    }.items()
    for word in said.split()
}
STATUS: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
REPLY: Final = re.compile(r"(?<![\d.])([245][0-5]\d)(?![\d.])")
# What RFC 3464 section 2.1.2 puts before a diagnostic or the name of a host.
DIAGNOSTIC_TYPE: Final = re.compile(r"^[A-Za-z][\w\-]{0,30}\s*;\s*")
MTA_TYPE: Final = re.compile(r"^[A-Za-z][\w\-]{0,15}\s*;\s*")
# Fields in which a server says more than in its Diagnostic-Code.
FURTHER_FIELDS: Final = ("x-supplementary-info", "x400-supplementary-info", "x-notes", "x-error", "x-reason", "reason")
# "Diagnostic-Code: X-Unix; 67": the exit code of a program that should have taken the mail (BSD's sysexits.h).
SYSEXITS: Final = {
    "65": "data format error",
    "66": "cannot open input",
    "67": "user unknown",
    "68": "host unknown",
    "69": "service unavailable",
    "70": "internal software error",
    "71": "operating system error",
    "72": "critical system file missing",
    "73": "can't create output",
    "74": "input/output error",
    "75": "temporary failure",
    "76": "remote error in protocol",
    "77": "insufficient permission",
    "78": "local configuration error",
}
LONGEST_FIELD: Final = 8_000
# The words behind a status or an action: "5.0.0 (recipient reached disk quota)", "failed (Bad destination)".
COMMENT: Final = re.compile(r"(?:[245]\d\d )?[A-Za-z]{2,}[^\n]*")


@dataclass(slots=True)
class FieldGroup:
    """The fields about one recipient, or about the whole mail; by lower-cased name, the first of a name counts."""

    fields: dict[str, str] = field(default_factory=dict)

    def get(self, *names: str) -> str:
        return next((self.fields[name] for name in names if self.fields.get(name)), "")

    @property
    def names_recipient(self) -> bool:
        return "final-recipient" in self.fields or "original-recipient" in self.fields

    @property
    def tells_fate(self) -> bool:
        return "action" in self.fields or "status" in self.fields


def read(mail: ParsedMail) -> list[RecipientReport]:
    """A report for each recipient in the order of the mail; empty where the mail is no DSN."""
    texts = [part.long_text(mail.charset) for part in mail.parts if part.type in STATUS_TYPES]
    if not any(map(NAMES_RECIPIENT.search, texts)):
        texts.extend(_mistyped(mail))
    groups = [group for text in texts for group in _groups(text)]
    about_mail = FieldGroup()
    for group in groups:
        if not group.names_recipient:
            # One by one: a new dictionary for each of a million groups would take their square.
            for name, value in group.fields.items():
                about_mail.fields.setdefault(name, value)
    reports = [_report(group, about_mail, mail) for group in groups if group.names_recipient]
    if not reports and about_mail.tells_fate:
        reports = [_report(about_mail, about_mail, mail)]
    return list(_once(reports))


def _mistyped(mail: ParsedMail) -> Iterator[str]:
    """Delivery status in a part of another type: only in a report, or in a mail that no human wrote."""
    if mail.root.type != "multipart/report" and not is_from_daemon(mail):
        return
    for part in mail.parts:
        if part.type.startswith(("text/", "message/", "application/octet-stream")) and not is_enclosed_mail(part.type):
            text = part.own_text(mail.charset)
            if NAMES_RECIPIENT.search(text) and TELLS_FATE.search(text):
                yield text


def _groups(text: str) -> list[FieldGroup]:
    """The groups of fields, divided by blank lines, or where a field that names a recipient comes again."""
    groups = [FieldGroup()]
    last, was_blank = "", False
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped:
            was_blank, last = True, ""
            continue
        fields = groups[-1].fields
        match = None if line[0] in " \t" and last else FIELD.fullmatch(stripped)
        if not match:
            # Also a line that was wrapped without a blank at its begin.
            if last and len(fields[last]) < LONGEST_FIELD:
                fields[last] += " " + stripped
            continue
        name = match[1].lower().replace(" ", "-")
        if _begins_group(groups[-1], name, was_blank=was_blank):
            groups.append(FieldGroup())
            fields = groups[-1].fields
        was_blank = False
        last = name if name not in fields else f"{name} again"
        fields[last] = match[2].strip()
    return groups


def _begins_group(group: FieldGroup, name: str, *, was_blank: bool) -> bool:
    if name in RECIPIENT_FIELDS and name in group.fields:
        return True
    if not was_blank or not group.fields:
        return False
    # Some servers leave a blank line within the fields of a recipient.
    return name in group.fields or not group.names_recipient or (name in RECIPIENT_FIELDS and group.tells_fate)


def _report(group: FieldGroup, about_mail: FieldGroup, mail: ParsedMail) -> RecipientReport:
    final, original = address_of(group.get("final-recipient")), original_address(group.get("original-recipient"))
    actual = address_of(group.get("x-actual-recipient"))
    status = STATUS.search(group.get("status"))
    # "Status: 553 Exceeded maximum size", "Status: 550 5.1.1": a reply code where a status code belongs, or before it.
    reply = REPLY.match(group.get("status")) if status else REPLY.search(group.get("status"))
    remote, reporting = _host(group.get("remote-mta")), _host(about_mail.get("reporting-mta"))
    return RecipientReport(
        recipient=next(filter(is_full, (final, original, actual)), final or original or actual),
        original_recipient=original,
        action=_action(group, status[0] if status else ""),
        said=_said(group),
        status_code=status[0] if status else "",
        reply_code=reply[0] if reply and not REPLY.search(group.get("diagnostic-code")) else "",
        said_by=remote or reporting,
        is_by_other=bool(remote) and not is_same_house(remote, reporting),
        occurred_at=moment_of(group.get("last-attempt-date"), mail.headers.get("date"), about_mail.get("arrival-date")),
    )


def _host(said: str) -> str:
    return MTA_TYPE.sub("", said).strip()


def _said(group: FieldGroup) -> str:
    """The diagnostic, and what else the fields say in words."""
    said = DIAGNOSTIC_TYPE.sub("", group.get("diagnostic-code"), count=1).strip()
    if said in SYSEXITS:
        # The code that the program returned says less than a status that names a cause.
        status = STATUS.search(group.get("status"))
        said = "" if status and not vagueness(status[0]) else SYSEXITS[said]
    if said.startswith("221 "):
        # Sendmail's note of the goodbye, where the server closed at once (RFC 5321 section 4.3.2).
        said = ""
    further = [group.get(name) for name in FURTHER_FIELDS]
    if not said:
        comments = (COMMENT.search(group.get(name).partition(" ")[2]) for name in ("status", "action"))
        further.extend(match[0].rstrip(")") for match in comments if match)
    return " ".join(filter(None, [said, *(words for words in further if words not in said)]))


def _action(group: FieldGroup, status: str) -> str:
    word = re.match(r"\W*([a-z]*)", group.get("action").lower())
    action = word[1] if word else ""
    if action in ACTIONS:
        return action
    by_status = {"2": "delivered", "4": "failed", "5": "failed"}.get(status[:1], "failed")
    return OTHER_ACTIONS.get(action, by_status)


def _once(reports: list[RecipientReport]) -> Iterator[RecipientReport]:
    """One report for each recipient and fate: a loop of aliases is reported over and over.

    Of an alias that stands for several, each may have fared differently (Sendmail names all by the alias).
    """
    known: dict[tuple[str, str, str], RecipientReport] = {}
    for report in reports:
        key = (report.recipient.lower(), report.action, report.status_code)
        if key not in known:
            known[key] = report
            yield report
        elif report.said and not known[key].said:
            known[key].said = report.said
