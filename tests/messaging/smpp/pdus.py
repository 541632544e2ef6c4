"""PDUs as an SMSC sends them, made octet by octet and by nothing of ours. Section numbers: SMPP 3.4, issue 1.2."""

import struct

DELIVER_SM, DATA_SM, RECEIPT = 0x00000005, 0x00000103, 0x04
RECEIPTED_MESSAGE_ID, NETWORK_ERROR_CODE, MESSAGE_PAYLOAD, MESSAGE_STATE = 0x001E, 0x0423, 0x0424, 0x0427
USER_MESSAGE_REFERENCE = 0x0204
TEXT = "id:4711 sub:001 dlvrd:001 submit date:2611031130 done date:2611031142 stat:DELIVRD err:000 text:Hello Anna, your or"


def pdu(command: int, body: bytes = b"", *, status: int = 0, sequence: int = 1) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def deliver_sm(
    text: str | bytes = TEXT,
    *,
    esm_class: int = RECEIPT,
    sequence: int = 1,
    source: str = "46701234567",
    data_coding: int = 0,
    tlvs: dict[int, bytes] | None = None,
) -> bytes:
    """4.6.1"""
    message = text.encode("latin-1") if isinstance(text, str) else text
    body = b"\0" + b"\x01\x01" + source.encode() + b"\0" + b"\x05\x00" + b"Engage\0"
    body += bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, data_coding, 0, len(message))) + message
    return pdu(DELIVER_SM, body + tlvs_of(tlvs), sequence=sequence)


def data_sm(tlvs: dict[int, bytes], *, esm_class: int = RECEIPT, sequence: int = 1) -> bytes:
    """4.7.1"""
    body = b"\0" + b"\x01\x01" + b"46701234567\0" + b"\x05\x00" + b"Engage\0" + bytes((esm_class, 0, 0))
    return pdu(DATA_SM, body + tlvs_of(tlvs), sequence=sequence)


def tlvs_of(tlvs: dict[int, bytes] | None) -> bytes:
    """5.3.1"""
    return b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in (tlvs or {}).items())


def receipt(message: str, state: str = "DELIVRD", error: str = "000", *, sequence: int = 1) -> bytes:
    text = f"id:{message} sub:001 dlvrd:001 submit date:2611031130 done date:2611031142 stat:{state} err:{error} text:Hello"
    return deliver_sm(text, sequence=sequence)
