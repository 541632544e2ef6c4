"""An SMS as submit_sm (4.4.1): one for each part that it travels in. Pure.

By hand, since smpplib takes ten times as long for each.
"""

import re
import struct
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from messaging.smpp.alphabet import UCS_2, alphabet_of, in_septets, parts_of
from messaging.smpp.connections import PAYLOAD, SAR, UDH
from messaging.smpp.pdus import COMMANDS, HEADER, MESSAGE_PAYLOAD, TLV, UDHI, USER_MESSAGE_REFERENCE

SUBMIT_SM: Final = COMMANDS["submit_sm"]
SUBMIT_SM_RESP: Final = COMMANDS["submit_sm_resp"]
# 5.2.19: the SMSC's default alphabet, which is that of GSM; UCS-2.
CODINGS: Final = {False: 0, True: 8}
# 5.3.2.22 to 24.
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F
# 5.2.5, 5.2.6: (type of number, numbering plan).
INTERNATIONAL: Final = b"\x01\x01"
NETWORK_SPECIFIC: Final = b"\x03\x00"
ALPHANUMERIC: Final = b"\x05\x00"
# Up to so many digits it is a short code, which means something in its own network only.
SHORT: Final = 7
_NUMBER: Final = re.compile(r"\+?([0-9]+)")
# registered_delivery (5.2.17): a receipt, whatever becomes of it.
_AFTER_VALIDITY: Final = b"\x01\x00"


def submits_of(
    text: str,
    *,
    sender: str,
    number: str,
    valid: timedelta,
    reference: int,
    long: str = UDH,
    is_referenced: bool = True,
) -> list[bytes]:
    """The bodies of the submit_sm of an SMS, in the order of its parts; `number` in E.164.

    `long` says how the parts belong together: by a header in each (UDH), by parameters (SAR), or it is one submit_sm
    that the SMSC cuts itself (PAYLOAD). `reference` tells the parts of one SMS from those of another, and where
    `is_referenced` the SMSC may give it back in receipts.
    """
    end = _reference(reference) if is_referenced else b""
    is_ucs_2 = alphabet_of(text) == UCS_2
    parts = [text] if long == PAYLOAD else parts_of(text)
    start = b"\0" + source_of(sender) + INTERNATIONAL + number.lstrip("+").encode() + b"\0"
    middle = b"\0\0\0" + validity_of(valid) + b"\0" + _AFTER_VALIDITY + bytes((CODINGS[is_ucs_2], 0))
    if len(parts) == 1:
        return [_body(start, 0, middle, _octets(text, is_ucs_2=is_ucs_2)) + end]
    bodies = []
    for place, part in enumerate(parts, 1):
        octets = _octets(part, is_ucs_2=is_ucs_2)
        if long == SAR:
            bodies.append(_body(start, 0, middle, octets) + _sar(reference, len(parts), place) + end)
        else:
            header = bytes((5, 0, 3, reference & 0xFF, len(parts) & 0xFF, place & 0xFF))
            bodies.append(_body(start, UDHI, middle, header + octets) + end)
    return bodies


def count_of(text: str, long: str) -> int:
    """How many submit_sm there are, and so receipts."""
    return 1 if long == PAYLOAD else len(parts_of(text))


def pdus_of(bodies: Sequence[tuple[int, bytes]]) -> bytes:
    """The submit_sm of these bodies, each with its sequence number, as they go over the line."""
    return b"".join(HEADER.pack(HEADER.size + len(body), SUBMIT_SM, 0, number) + body for number, body in bodies)


def source_of(sender: str) -> bytes:
    """Type, plan and address of a sender: a number, a short code, or a name; the SMSC's own where there is none."""
    if not sender:
        return b"\0\0\0"
    number = _NUMBER.fullmatch(sender)
    if number is None:
        return ALPHANUMERIC + sender.encode("ascii", "replace") + b"\0"
    digits = number[1]
    is_short = len(digits) <= SHORT and not sender.startswith("+")
    return (NETWORK_SPECIFIC if is_short else INTERNATIONAL) + digits.encode() + b"\0"


def validity_of(span: timedelta) -> bytes:
    """As a relative time of days, hours, minutes and seconds (7.1.1.2), a minute at least."""
    seconds = max(60, int(span.total_seconds()))
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}{second:02}000R".encode()


def _body(start: bytes, esm_class: int, middle: bytes, octets: bytes) -> bytes:
    """`start` ends with the destination; `middle` goes from protocol_id to sm_default_msg_id."""
    if len(octets) <= 254:
        return b"".join((start, bytes((esm_class,)), middle, bytes((len(octets),)), octets))
    payload = TLV.pack(MESSAGE_PAYLOAD, len(octets)) + octets
    return b"".join((start, bytes((esm_class,)), middle, b"\0", payload))


def _octets(text: str, *, is_ucs_2: bool) -> bytes:
    return text.encode("utf-16-be", "replace") if is_ucs_2 else in_septets(text)


def _reference(number: int) -> bytes:
    """5.3.2.17; the last 16 bits of a number, by which correlation knows it again (sql.DOUBTFUL_SMS)."""
    return struct.pack(">HHH", USER_MESSAGE_REFERENCE, 2, number & 0xFFFF)


def _sar(reference: int, total: int, place: int) -> bytes:
    return (
        struct.pack(">HHH", SAR_REFERENCE, 2, reference & 0xFFFF)
        + struct.pack(">HHB", SAR_TOTAL, 1, total & 0xFF)
        + struct.pack(">HHB", SAR_NUMBER, 1, place & 0xFF)
    )
