"""What a delivery receipt says: by its TLVs, and by its text, which every vendor writes in its own way. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from contacts.channels import Channel
from messaging.smpp import pdus
from messaging.smpp.pdus import Delivery
from messaging.status.order import GIVES_UP_AFTER

# The type of a message, in bits 5 to 2 of esm_class (5.2.12).
TYPE_BITS: Final = 0b00111100
RECEIPT: Final = 0b00000100
ACKNOWLEDGEMENT: Final = 0b00001000
INTERMEDIATE: Final = 0b00100000
RECEIPTS: Final = frozenset({RECEIPT, ACKNOWLEDGEMENT, INTERMEDIATE})

# Appendix B. Seen, too: labels in capitals, "submitdate", "submit_date", blanks around the colon, commas between.
LABEL: Final = re.compile(r"(?<![a-z])(id|sub|dlvrd|(?:submit|done)[ _]?date|stat|err|text) ?:", re.IGNORECASE)
LONGEST_TEXT: Final = 2_000
# YYMMDDhhmm, with seconds, or with the whole year.
DATES: Final = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}
# What a date of that length leaves open; its last sixtieth is for receipts that came when it was over, even days later.
OPEN: Final = {10: timedelta(minutes=1), 12: timedelta(seconds=1), 14: timedelta(seconds=1)}
LAST: Final = 1 / 60
HALF_WAY: Final = timedelta(hours=1)
LONGEST_WORD: Final = 20
# Between their clock and ours; and a date may end with the minute.
SLACK: Final = timedelta(minutes=3)
# Where clocks go by an unknown time zone, so much later or earlier it may have been by UTC.
LATER, EARLIER = timedelta(hours=12), timedelta(hours=14)


class NetworkError(NamedTuple):
    """network_error_code (5.3.2.31): a code means something only together with the type of its network."""

    network: int
    code: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it was said. States are numbers of message_state, or the words of `stat:`, in capitals.

    `words` is its text without the beginning of the message, which is the sender's and not the SMSC's. `reference` is
    the user_message_reference that was submitted (5.3.2.17), 0 where the SMSC does not give it back.
    """

    id_in_text: str
    id_in_tlv: str
    state_in_text: str
    state_in_tlv: str
    error: str
    network_error: NetworkError | None
    submitted: str
    done: str
    words: str
    reference: int
    is_intermediate: bool


def is_receipt(delivery: Delivery, *, even_unmarked: bool) -> bool:
    """Whether it is a receipt at all, and not an SMS that somebody sent (who may write what looks like one)."""
    has_tlvs = {pdus.RECEIPTED_MESSAGE_ID, pdus.MESSAGE_STATE} <= delivery.tlvs.keys()
    return delivery.esm_class & TYPE_BITS in RECEIPTS or has_tlvs or (even_unmarked and looks_like_one(delivery))


def looks_like_one(delivery: Delivery) -> bool:
    said, _ = fields_of(delivery.text)
    return bool(said.get("id") and said.get("stat"))


def receipt_of(delivery: Delivery) -> Receipt:
    """Everything in it that can be read; what is missing is empty. Never raises."""
    said, words = fields_of(delivery.text)
    state = delivery.tlvs.get(pdus.MESSAGE_STATE, b"")
    return Receipt(
        id_in_text=said.get("id", ""),
        id_in_tlv=_text(delivery.tlvs.get(pdus.RECEIPTED_MESSAGE_ID, b"")),
        state_in_text=said.get("stat", "").upper()[:LONGEST_WORD],
        state_in_tlv=str(state[0]) if len(state) == 1 else "",
        error=said.get("err", "")[:LONGEST_WORD],
        network_error=_network_error(delivery.tlvs.get(pdus.NETWORK_ERROR_CODE, b"")),
        submitted=said.get("submitdate", ""),
        done=said.get("donedate", ""),
        words=words,
        reference=_number(delivery.tlvs.get(pdus.USER_MESSAGE_REFERENCE, b"")),
        is_intermediate=delivery.esm_class & TYPE_BITS == INTERMEDIATE,
    )


def fields_of(text: str) -> tuple[dict[str, str], str]:
    """The first word after each label, by the label's small letters; and the text up to `text:`. Never raises."""
    found: dict[str, str] = {}
    text = text[:LONGEST_TEXT]
    labels = list(LABEL.finditer(text))
    end = len(text)
    for number, label in enumerate(labels):
        name = re.sub(r"[ _]", "", label[1].lower())
        if name == "text":
            # What follows is the message's, and may look like anything.
            end = label.start()
            break
        following = labels[number + 1].start() if number + 1 < len(labels) else len(text)
        words = text[label.end() : following].strip(" \0\t\r\n,;").split(maxsplit=1)
        found.setdefault(name, words[0].rstrip(",;\0") if words else "")
    return found, text[:end].strip(" \0\t\r\n")


def done_at(receipt: Receipt, zone: tzinfo | None) -> datetime | None:
    """When it came to that, aware UTC; None where it does not say so, or nobody knows in which time zone."""
    return _moment(receipt.done, zone) if zone else None


def counts_at(receipt: Receipt, zone: tzinfo | None, came_at: datetime) -> datetime:
    """When it counts as having come to that, aware UTC. Of two receipts with the same date, the one that came later
    counts later: within the minute that the date leaves open as they came, behind it in that order at its end."""
    done = done_at(receipt, zone)
    if done is None or done >= came_at:
        return came_at
    is_open = OPEN[len(receipt.done)]
    end = done + is_open * (1 - LAST)
    late = came_at - end
    return came_at if late <= timedelta() else end + is_open * LAST * (late / (late + HALF_WAY))


def submitted_between(receipt: Receipt, zone: tzinfo | None, came_at: datetime) -> tuple[datetime, datetime]:
    """From when until when the SMS may have been submitted whose receipt came at that time; all aware UTC."""
    said = _moment(receipt.submitted, zone or UTC)
    if said is None:
        # None is valid for longer.
        return came_at - GIVES_UP_AFTER[Channel.SMS], came_at
    since, until = (said, said) if zone else (said - EARLIER, said + LATER)
    return since - SLACK, min(until, came_at) + SLACK


def _moment(said: str, zone: tzinfo) -> datetime | None:
    form = DATES.get(len(said))
    if form is None or not (said.isascii() and said.isdigit()):
        return None
    try:
        found = datetime.strptime(said, form).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # What is no date at all (such as the year 1) is not to be reckoned with.
    return found if found.year > 1990 else None


def _text(value: bytes) -> str:
    """A C-octet string, with its NUL or without."""
    return value.partition(b"\0")[0].decode("latin-1").strip()


def _network_error(value: bytes) -> NetworkError | None:
    return NetworkError(value[0], int.from_bytes(value[1:])) if len(value) == 3 else None


def _number(value: bytes) -> int:
    return int.from_bytes(value) if len(value) == 2 else 0
