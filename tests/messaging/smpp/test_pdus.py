"""PDUs on the line: whole ones are taken however they are cut, and no octets make the reading fail in a new way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.smpp.pdus import LONGEST, Delivery, GarbageError, delivery_of, take_from
from tests.messaging.smpp import pdus


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_pdus_are_whole_again_wherever_the_line_cuts_them(bodies: list[bytes], data: st.DataObject) -> None:
    sent = [pdus.pdu(pdus.DELIVER_SM, body) for body in bodies]
    stream, buffer, found = b"".join(sent), bytearray(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        buffer += stream[:cut]
        stream = stream[cut:]
        found += take_from(buffer)

    assert found == sent
    assert not buffer


@pytest.mark.parametrize("length", [0, 15, LONGEST + 1, 2**32 - 1])
def test_a_length_that_no_pdu_has_is_garbage(length: int) -> None:
    with pytest.raises(GarbageError, match=str(length)):
        take_from(bytearray(length.to_bytes(4) + b"HTTP/1.1 400 Bad Request"))


def test_a_receipt_is_taken_apart() -> None:
    tlvs = {pdus.MESSAGE_STATE: b"\2", 0x1401: b"x"}

    found = delivery_of(pdus.deliver_sm("id:1", tlvs=tlvs))

    assert found == Delivery("46701234567", "Engage", pdus.RECEIPT, 0, b"id:1", tlvs)


def test_a_tlv_that_breaks_off_leaves_those_before_it() -> None:
    whole = pdus.deliver_sm(tlvs={pdus.MESSAGE_STATE: b"\2", pdus.RECEIPTED_MESSAGE_ID: b"4711\0"})
    cut = pdus.pdu(pdus.DELIVER_SM, whole[16:-2])

    assert delivery_of(cut).tlvs == {pdus.MESSAGE_STATE: b"\2"}


@given(st.binary(max_size=200), st.sampled_from([pdus.DELIVER_SM, pdus.DATA_SM, 0x15]))
def test_any_octets_are_read_or_are_a_value_error(body: bytes, command: int) -> None:
    for pdu in (body, pdus.pdu(command, body)):
        try:
            delivery = delivery_of(pdu)
        except ValueError:
            continue
        assert isinstance(delivery.text, str)
