"""Amazon SES's notifications that SNS sends as mail: the JSON of its webhook, in the text of a mail.

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and event-publishing-retrieving-sns-contents.html.
Such a mail carries no signature, so whoever reads it must not take it for more than a mail.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from messaging.bounces.mail.addresses import address_of
from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ParsedMail
from messaging.bounces.mail.reports import RecipientReport

LONGEST: Final = 200_000
MOST_RECIPIENTS: Final = 50  # of a mail by SES: its documentation, Quotas
# By the field that says what a notification is about: of identities, and of configuration sets.
KINDS: Final = ("notificationType", "eventType")
# What SES says without a server's words.
SUBTYPES: Final = {
    "MailboxFull": "mailbox full",
    "MessageTooLarge": "message too large",
    "ContentRejected": "content rejected",
    "AttachmentRejected": "attachment rejected",
    "NoEmail": "user unknown",
    "Suppressed": "on the suppression list",
    "OnAccountSuppressionList": "on the suppression list",
}


def read(mail: ParsedMail) -> list[RecipientReport]:
    """A report for each recipient that the notification names; empty where the mail is none."""
    told = _notification(mail.text.lstrip()[:LONGEST])
    kind = next((told[name] for name in KINDS if isinstance(told.get(name), str)), "")
    read_one = READERS.get(kind)
    return list(read_one(told, mail))[:MOST_RECIPIENTS] if read_one else []


def _notification(text: str) -> dict[str, Any]:
    """The object that the text begins with; empty where it begins with none, or where somebody nested it to harm."""
    if not text.startswith("{"):
        return {}
    try:
        found, _end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _bounces(told: dict[str, Any], mail: ParsedMail) -> Iterator[RecipientReport]:
    bounce = _object(told, "bounce")
    subtype = SUBTYPES.get(_text(bounce, "bounceSubType"), "")
    is_final = _text(bounce, "bounceType") != "Transient"
    for each in _recipients(bounce, "bouncedRecipients"):
        status = _text(each, "status")
        said = _text(each, "diagnosticCode").partition("; ")[2] or _text(each, "diagnosticCode")
        yield RecipientReport(
            address_of(_text(each, "emailAddress")), said or subtype, action="failed",
            status_code=status if is_final or not status.startswith("5.1.") else f"4{status[1:]}",
            said_by=_text(bounce, "reportingMTA").rpartition(";")[2].strip(), prose=subtype,
            occurred_at=_when(bounce, mail),
        )  # fmt: skip


def _complaints(told: dict[str, Any], mail: ParsedMail) -> Iterator[RecipientReport]:
    complaint = _object(told, "complaint")
    kind = _text(complaint, "complaintFeedbackType") or "abuse"
    for each in _recipients(complaint, "complainedRecipients"):
        yield RecipientReport(
            address_of(_text(each, "emailAddress")), action="feedback", feedback_type=kind,
            reason="delivered" if kind == "not-spam" else "complaint",
            occurred_at=_when(complaint, mail),
        )  # fmt: skip


def _deliveries(told: dict[str, Any], mail: ParsedMail) -> Iterator[RecipientReport]:
    delivery = _object(told, "delivery")
    recipients = delivery.get("recipients")
    for address in recipients if isinstance(recipients, list) else ():
        if isinstance(address, str):
            said, when = _text(delivery, "smtpResponse"), _when(delivery, mail)
            yield RecipientReport(address_of(address), said, action="delivered", occurred_at=when)


def _delays(told: dict[str, Any], mail: ParsedMail) -> Iterator[RecipientReport]:
    delay = _object(told, "deliveryDelay")
    for each in _recipients(delay, "delayedRecipients"):
        said, when = _text(each, "diagnosticCode"), _when(delay, mail)
        status = _text(each, "status")
        yield RecipientReport(
            address_of(_text(each, "emailAddress")), said, action="delayed", status_code=status, occurred_at=when
        )


READERS: Final = {"Bounce": _bounces, "Complaint": _complaints, "Delivery": _deliveries, "DeliveryDelay": _delays}


def _when(told: dict[str, Any], mail: ParsedMail) -> datetime | None:
    """When it happened, aware; where the notification does not tell (ISO 8601), the date of the mail."""
    try:
        return datetime.fromisoformat(_text(told, "timestamp")).astimezone(UTC)
    except (ValueError, OverflowError):
        return moment_of(mail.headers.get("date"))


def _object(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _recipients(told: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    found = told.get(name)
    return (each for each in found if isinstance(each, dict)) if isinstance(found, list) else iter(())


def _text(told: dict[str, Any], name: str) -> str:
    found = told.get(name)
    return found if isinstance(found, str) else ""
