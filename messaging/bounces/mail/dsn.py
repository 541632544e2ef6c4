"""Delivery status notifications (RFC 3464, with RFC 6522 and 6533), also where a server writes them carelessly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from messaging.bounces.mail import prose
from messaging.bounces.mail.addresses import address_of, is_full, original_address
from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ParsedMail, is_enclosed_mail
from messaging.bounces.mail.reports import Report

STATUS_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
# A part of another type is taken for a delivery status only where all of this is in it.
LOOKS_LIKE_STATUS: Final = re.compile(
    r"^(?:Final|Original)-Recipient[ \t]*:.*\n(?:.*\n){0,40}?(?:Action|Status|Diagnostic-Code)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
FIELD: Final = re.compile(r"^([A-Za-z][\w\-]*(?: Recipient)?)[ \t]*:[ \t]*(.*)$")
RECIPIENT_FIELDS: Final = frozenset({"final-recipient", "original-recipient"})
ACTIONS: Final = ("failed", "delayed", "delivered", "relayed", "expanded")
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
DIAGNOSTIC_TYPE: Final = re.compile(r"^[A-Za-z][\w\- ]{0,30};\s*")
MTA_TYPE: Final = re.compile(r"^[A-Za-z][\w\-]{0,15};\s*")
# Fields in which a server says more than its Diagnostic-Code does.
FURTHER_FIELDS: Final = (
    "x-supplementary-info",
    "x-outbound-ip-error",
    "x-notes-item",
    "x-error",
    "x-diagnostic",
    "x-reason",
    "reason",
)


@dataclass(slots=True)
class Group:
    """The fields about one recipient, or about the whole mail; lower-cased names, first value wins."""

    fields: dict[str, str] = field(default_factory=dict)

    def get(self, *names: str) -> str:
        return next((self.fields[name] for name in names if self.fields.get(name)), "")

    @property
    def names_recipient(self) -> bool:
        return not RECIPIENT_FIELDS.isdisjoint(self.fields)

    @property
    def tells_fate(self) -> bool:
        return "action" in self.fields or "status" in self.fields


def read(mail: ParsedMail) -> list[Report]:
    """A report for each recipient in the order of the mail; empty where the mail is no DSN."""
    texts = [part.text for part in mail.parts if part.type in STATUS_TYPES]
    if not any(LOOKS_LIKE_STATUS.search(text) or "ecipient" in text for text in texts):
        texts = list(_mistyped(mail))
    groups = [group for text in texts for group in _groups(text)]
    about_mail = Group()
    for group in groups:
        if not group.names_recipient:
            about_mail.fields = group.fields | about_mail.fields
    reports = [_report(group, about_mail, mail) for group in groups if group.names_recipient]
    if not reports and groups and about_mail.tells_fate:
        reports = [_report(about_mail, about_mail, mail)]
    return prose.completed(mail, reports)


def _mistyped(mail: ParsedMail) -> Iterator[str]:
    """Delivery status in a part of another type: only in a report, or in a mail that no human wrote."""
    if mail.root.type != "multipart/report" and not prose.is_from_daemon(mail):
        return
    for part in mail.parts:
        if part.type.startswith(("text/", "message/", "application/octet-stream")) and not is_enclosed_mail(part.type):
            text = part.text
            if LOOKS_LIKE_STATUS.search(text):
                yield text


def _groups(text: str) -> list[Group]:
    """The groups of fields, divided by blank lines, or where a field that names a recipient comes again."""
    groups = [Group()]
    last, was_blank = "", False
    for line in text.split("\n"):
        if not line.strip():
            was_blank, last = True, ""
            continue
        if line[0] in " \t" and last:
            groups[-1].fields[last] += " " + line.strip()
            continue
        match = FIELD.match(line.strip())
        if not match:
            # A line that was wrapped without a blank at its begin belongs to the diagnostic before it.
            if last in {"diagnostic-code", "x-supplementary-info"}:
                groups[-1].fields[last] += " " + line.strip()
            continue
        name = match[1].lower().replace(" ", "-")
        if _begins_group(groups[-1], name, was_blank=was_blank):
            groups.append(Group())
        was_blank = False
        last = name if name not in groups[-1].fields else f"{name} "
        groups[-1].fields[last] = match[2].strip()
    return groups


def _begins_group(group: Group, name: str, *, was_blank: bool) -> bool:
    if name in RECIPIENT_FIELDS:
        return (
            name in group.fields
            or (group.names_recipient and group.tells_fate)
            or (was_blank and bool(group.fields) and not group.tells_fate)
        )
    # Some servers leave a blank line within the fields of a recipient.
    return was_blank and bool(group.fields) and (not group.names_recipient or name in group.fields)


def _report(group: Group, about_mail: Group, mail: ParsedMail) -> Report:
    said = _said(group)
    final, original = address_of(group.get("final-recipient")), original_address(group.get("original-recipient"))
    actual = address_of(group.get("x-actual-recipient"))
    status = STATUS.search(group.get("status"))
    return Report(
        recipient=next(
            (address for address in (final, original, actual) if is_full(address)), final or original or actual
        ),
        original_recipient=original,
        action=_action(group, status[0] if status else ""),
        said=said,
        status_code=status[0] if status else "",
        said_by=MTA_TYPE.sub("", group.get("remote-mta") or about_mail.get("reporting-mta")).strip(),
        occurred_at=moment_of(group.get("last-attempt-date"), about_mail.get("arrival-date"), mail.headers.get("date")),
    )


def _said(group: Group) -> str:
    said = DIAGNOSTIC_TYPE.sub("", group.get("diagnostic-code"), count=1).strip()
    further = [value for name in FURTHER_FIELDS if (value := group.get(name)) and value not in said]
    return " ".join(filter(None, [said, *further]))


def _action(group: Group, status: str) -> str:
    word = re.match(r"[a-z]*", group.get("action").lower().strip(" <\"'"))
    action = word[0] if word else ""
    if action in ACTIONS:
        return action
    return OTHER_ACTIONS.get(action, "delivered" if status.startswith("2") else "failed")
