"""PDUs as they stand on the line: where one ends, and what a deliver_sm or data_sm holds. Pure.

smpplib makes the PDUs that we send. Those that deliver something are read here, since it cuts the last sign off a
receipted_message_id that lacks its closing NUL, and gives up on a whole PDU for one odd parameter.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from smpplib.command_codes import commands
from smpplib.consts import OPTIONAL_PARAMS

CONTENT_TYPE: Final = "application/x-smpp-pdu"
COMMANDS: Final[dict[str, int]] = commands
DELIVER_SM: Final = COMMANDS["deliver_sm"]
DATA_SM: Final = COMMANDS["data_sm"]
RESPONSE: Final = 0x80000000
HEADER: Final = struct.Struct(">IIII")
TLV: Final = struct.Struct(">HH")
# A message_payload of 64 KiB and all else with room to spare; a longer PDU is none.
LONGEST: Final = 128 * 1024

# Tags, 5.3.2.
RECEIPTED_MESSAGE_ID: Final = 0x001E
USER_MESSAGE_REFERENCE: Final = 0x0204
NETWORK_ERROR_CODE: Final = 0x0423
MESSAGE_PAYLOAD: Final = 0x0424
MESSAGE_STATE: Final = 0x0427
NAMES: Final = {number: name for name, number in OPTIONAL_PARAMS.items()}
UCS2: Final = 8
# 5.2.12: the message begins with a header.
UDHI: Final = 0x40


class GarbageError(Exception):
    """What came is no SMPP, or we have lost our place in it; nothing after it can be read."""


class Header(NamedTuple):
    """3.2: the 16 octets that every PDU begins with."""

    length: int
    command: int
    status: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A deliver_sm (4.6.1) or data_sm (4.7.1): a receipt, or an SMS that somebody sent. Or a submit_sm (4.4.1)."""

    source: str
    destination: str
    esm_class: int
    data_coding: int
    body: bytes = b""
    tlvs: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def text(self) -> str:
        body = self.body or self.tlvs.get(MESSAGE_PAYLOAD, b"")
        return body.decode("utf-16-be" if self.data_coding == UCS2 else "latin-1", "replace")

    @property
    def words(self) -> str:
        """The text without the header of one part of several (TS 23.040 9.2.3.24)."""
        if not self.esm_class & UDHI or not self.body:
            return self.text
        return replace(self, body=self.body[self.body[0] + 1 :], esm_class=0).text


def header_of(pdu: bytes) -> Header:
    return Header(*HEADER.unpack_from(pdu))


def take_from(buffer: bytearray) -> list[bytes]:
    """The whole PDUs at the front of the buffer, which they leave. Raises GarbageError."""
    found, start = [], 0
    while len(buffer) - start >= HEADER.size:
        length = int.from_bytes(buffer[start : start + 4])
        if not HEADER.size <= length <= LONGEST:
            raise GarbageError(f"a PDU of {length} octets")
        if len(buffer) - start < length:
            break
        found.append(bytes(buffer[start : start + length]))
        start += length
    del buffer[:start]
    return found


def delivery_of(pdu: bytes) -> Delivery:
    """What a whole deliver_sm or data_sm holds. Raises ValueError where it is none, or its parameters break off."""
    if len(pdu) < HEADER.size or header_of(pdu).length != len(pdu):
        raise ValueError("not one whole PDU")
    command = header_of(pdu).command
    if command not in (DELIVER_SM, DATA_SM):
        raise ValueError(f"neither deliver_sm nor data_sm, but command {command:#x}")
    return _short_message(pdu, command)


def submission_of(pdu: bytes) -> Delivery:
    """What a whole submit_sm holds: its parameters are those of deliver_sm. Raises ValueError where they break off."""
    return _short_message(pdu, COMMANDS["submit_sm"])


def _short_message(pdu: bytes, command: int) -> Delivery:
    fields = _Fields(pdu)
    fields.text()  # service_type
    fields.octets(2)
    source = fields.text()
    fields.octets(2)
    destination, esm_class = fields.text(), fields.octet()
    if command == DATA_SM:
        fields.octet()  # registered_delivery
        return Delivery(source, destination, esm_class, fields.octet(), tlvs=fields.tlvs())
    fields.octets(2)
    fields.text()  # schedule_delivery_time
    fields.text()  # validity_period
    fields.octets(2)
    data_coding, _, length = fields.octet(), fields.octet(), fields.octet()
    return Delivery(source, destination, esm_class, data_coding, fields.octets(length), fields.tlvs())


def message_id_in(pdu: bytes) -> str:
    """The id in a submit_sm_resp (4.4.2): what follows its header, up to a NUL; "" where it holds none."""
    return pdu[HEADER.size :].partition(b"\0")[0].decode("latin-1")


def lines_of(pdu: bytes) -> str:
    """A delivery for a person to read, a line for each parameter; "" where it is none."""
    try:
        found = delivery_of(pdu)
    except ValueError:
        return ""
    command = "deliver_sm" if header_of(pdu).command == DELIVER_SM else "data_sm"
    lines = {
        "command": command,
        "source_addr": found.source,
        "destination_addr": found.destination,
        "esm_class": f"{found.esm_class:#04x}",
        "data_coding": str(found.data_coding),
        "short_message": found.text,
    } | {NAMES.get(tag, f"{tag:#06x}"): value.hex(" ") for tag, value in found.tlvs.items()}
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


class _Fields:
    """The parameters of a PDU, one after the other. Raises ValueError where they break off."""

    def __init__(self, pdu: bytes) -> None:
        self._pdu = pdu
        self._at = HEADER.size

    def octets(self, number: int) -> bytes:
        found = self._pdu[self._at : self._at + number]
        if len(found) < number:
            raise ValueError("the parameters break off")
        self._at += number
        return found

    def octet(self) -> int:
        return self.octets(1)[0]

    def text(self) -> str:
        """A C-octet string: up to its NUL."""
        end = self._pdu.find(b"\0", self._at)
        if end < 0:
            raise ValueError("the parameters break off")
        found = self._pdu[self._at : end]
        self._at = end + 1
        return found.decode("latin-1")

    def tlvs(self) -> dict[int, bytes]:
        """The optional parameters; the first of each tag counts, and one that breaks off ends them."""
        found: dict[int, bytes] = {}
        while self._at + TLV.size <= len(self._pdu):
            tag, length = TLV.unpack_from(self._pdu, self._at)
            start = self._at + TLV.size
            if start + length > len(self._pdu):
                break
            found.setdefault(tag, self._pdu[start : start + length])
            self._at = start + length
        return found
