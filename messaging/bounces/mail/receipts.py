"""Read receipts (MDN, RFC 8098): no bounces, but for those by which a mailbox turns a mail away."""

import re
from typing import Final

from messaging.bounces.mail.addresses import address_of
from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ParsedMail
from messaging.bounces.mail.reports import RecipientReport

TYPES: Final = ("message/disposition-notification", "message/global-disposition-notification")
# RFC 5429 section 2.2.1: a Sieve script's reject, and Dovecot's answer to a full mailbox, are MDNs that say "deleted".
DISPOSITION: Final = re.compile(r"^Disposition[ \t]*:(.*)", re.IGNORECASE | re.MULTILINE)
TURNED_AWAY: Final = re.compile(r";[ \t]*(?:deleted|denied|failed)", re.IGNORECASE)
REJECTED: Final = re.compile(r"reject|refus|over ?quota|quota exceeded|not accept|can.?not be delivered", re.IGNORECASE)
RECIPIENT: Final = re.compile(r"^(?:Final|Original)-Recipient[ \t]*:(.*)", re.IGNORECASE | re.MULTILINE)


def is_receipt(mail: ParsedMail) -> bool:
    return any(part.type in TYPES for part in mail.parts)


def read(mail: ParsedMail) -> list[RecipientReport]:
    """A report where the receipt says that the mailbox refused the mail; empty for a receipt."""
    status = next(mail.of_type(*TYPES)).text
    recipient = RECIPIENT.search(status)
    if not recipient or not _is_turned_away(status) or not REJECTED.search(f"{mail.subject}\n{mail.text}"):
        return []
    return [RecipientReport(address_of(recipient[1]), prose=mail.text, occurred_at=moment_of(mail.headers.get("date")))]


def _is_turned_away(status: str) -> bool:
    """Whether nobody read the mail, and a program that was asked for no permission took it away."""
    modes = (said.lower().partition("automatic-action") for said in DISPOSITION.findall(status))
    return any(TURNED_AWAY.search(rest) for _before, _action, rest in modes)
