"""The text of receipts, in the variants that were seen."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.smpp.pdus import Delivery
from messaging.smpp.receipts import counts_at, done_at, fields_of, is_receipt, receipt_of

DATED = "id:1 submit date:2611031130 done date:{} stat:DELIVRD"


@pytest.mark.parametrize(
    ("text", "id_", "stat", "err"),
    [
        ("id:4711 sub:001 dlvrd:001 submit date:2611031130 done date:2611031142 stat:DELIVRD err:000 text:Hi", "4711", "DELIVRD", "000"),
        ("id:4711 sub:001 dlvrd:001 submit date:2611031130 done date:2611031142 stat:DELIVRD err:000 Text:Hi", "4711", "DELIVRD", "000"),
        ("id:a1B2-c3 sub:1 dlvrd:0 submitdate:261103113000 donedate:000000000000 stat:REJECTD err:375 text:", "a1B2-c3", "REJECTD", "375"),
        ("id:4711 submit_date:2611031130 done_date:2611031142 stat:UNDELIV err:1", "4711", "UNDELIV", "1"),
        ("id:4711 stat:EXPIRED", "4711", "EXPIRED", ""),
        ("ID : 4711 STAT : undeliv ERR : 0DB", "4711", "UNDELIV", "0DB"),
        ("id:4711, stat:DELIVRD, err:000, text:", "4711", "DELIVRD", "000"),
        ("\x05\x00\x03\x01\x02\x01id:4711 stat:DELIVRD err:000", "4711", "DELIVRD", "000"),
        ("id:4711 sub:001 dlvrd:000 stat: err: text:stat:DELIVRD", "4711", "", ""),
        ("id:4711 stat:REJECTD err:000 Text:DB52 SMS ERROR", "4711", "REJECTD", "000"),
        ("id:4711\r\nstat:DELIVRD\r\nerr:000\0", "4711", "DELIVRD", "000"),
        ("", "", "", ""),
    ],
)  # fmt: skip
def test_a_receipt_is_read_however_it_is_written(text: str, id_: str, stat: str, err: str) -> None:
    found = receipt_of(Delivery("", "", 4, 0, text.encode("latin-1")))

    assert (found.id_in_text, found.state_in_text, found.error) == (id_, stat, err)


def test_the_beginning_of_the_message_is_not_among_the_smscs_words() -> None:
    assert fields_of("id:1 stat:DELIVRD err:000 text:Dear Anna")[1] == "id:1 stat:DELIVRD err:000"


@pytest.mark.parametrize(
    ("done", "zone", "moment"),
    [
        ("2611031142", "Europe/Stockholm", datetime(2026, 11, 3, 10, 42, tzinfo=UTC)),
        ("261103114230", "UTC", datetime(2026, 11, 3, 11, 42, 30, tzinfo=UTC)),
        ("20261103114230", "UTC", datetime(2026, 11, 3, 11, 42, 30, tzinfo=UTC)),
        ("2611031142", "", None),
        ("0000000000", "UTC", None),
        ("000101000000", "Pacific/Kiritimati", datetime(1999, 12, 31, 10, tzinfo=UTC)),
        ("soon", "UTC", None),
        ("", "UTC", None),
    ],
)
def test_a_date_counts_only_where_its_time_zone_is_known(done: str, zone: str, moment: datetime | None) -> None:
    receipt = receipt_of(Delivery("", "", 4, 0, DATED.format(done).encode()))

    assert done_at(receipt, ZoneInfo(zone) if zone else None) == moment


@given(
    st.binary(max_size=300),
    st.integers(0, 255),
    st.integers(0, 255),
    st.dictionaries(st.sampled_from([0x1E, 0x423, 0x424, 0x427]), st.binary(max_size=8)),
)
def test_no_octets_make_it_fail(body: bytes, esm_class: int, coding: int, tlvs: dict[int, bytes]) -> None:
    delivery = Delivery("", "", esm_class, coding, body, tlvs)

    receipt = receipt_of(delivery)
    done_at(receipt, UTC)
    is_receipt(delivery, even_unmarked=True)


LABELS = st.sampled_from(["id:", "ID :", "stat:", "err:", "text:", "done date:", "submitdate:", "sub:", "dlvrd:"])


@given(st.lists(st.tuples(LABELS, st.text(max_size=20)), max_size=10), st.sampled_from([0x00, 0x04, 0x20, 0x40]))
def test_no_order_of_labels_makes_it_fail(parts: list[tuple[str, str]], esm_class: int) -> None:
    text = " ".join(label + value for label, value in parts)
    delivery = Delivery("", "", esm_class, 8, text.encode("utf-16-be", "replace"))

    said = fields_of(text)[0]
    assert all(" " not in value for value in said.values())
    done_at(receipt_of(delivery), UTC)


def test_of_receipts_with_one_date_the_later_to_come_counts_later_and_all_within_their_minute() -> None:
    receipt = receipt_of(Delivery("", "", 4, 0, DATED.format("2611031142").encode()))
    minute = datetime(2026, 11, 3, 11, 42, tzinfo=UTC)
    came = [minute + timedelta(seconds=after) for after in (1, 20, 59, 59.5, 61, 600, 86_400, 172_800)]

    counts = [counts_at(receipt, UTC, each) for each in came]

    assert counts == sorted(set(counts))
    assert counts[:2] == came[:2]
    assert all(minute < each < minute + timedelta(minutes=1) for each in counts)
    # A clock that is fast, and one of which nobody knows the zone.
    assert counts_at(receipt, UTC, minute - timedelta(seconds=5)) == minute - timedelta(seconds=5)
    assert counts_at(receipt, None, came[-1]) == came[-1]
