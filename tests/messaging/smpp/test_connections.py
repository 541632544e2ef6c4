"""SMPP_URLS: what is right is taken, what is wrong is named, and the password never shows."""

from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured

from messaging.smpp.connections import Connection, connections_of

URL = "smpp://engage:s3cr%40t@smsc.example.org:2776/telia"


def test_a_url_is_read_and_its_password_stays_out_of_sight() -> None:
    found = connections_of([f"{URL}?system_type=VMA&ids=hex&receipt_ids=decimal&time_zone=Europe/Stockholm&codes=map"])

    assert found["telia"] == Connection(
        "telia", "smsc.example.org", 2776, "engage", "s3cr@t", system_type="VMA", ids="hex", receipt_ids="decimal",
        zone=ZoneInfo("Europe/Stockholm"), codes="map",
    )  # fmt: skip
    assert "s3cr" not in repr(found)


def test_several_smscs_with_and_without_tls_have_the_ports_that_are_registered() -> None:
    found = connections_of(["smpp://u:p@a/one", " smpps://u:p@b/two", ""])

    assert [(each.name, each.port, each.is_encrypted) for each in found.values()] == [
        ("one", 2775, False), ("two", 3550, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("urls", "says"),
    [
        (["http://u:s3cret@host/name"], "must begin with smpp://"),
        (["smpp://u:s3cret@host"], "name after the port"),
        (["smpp://u:s3cret@host/Name"], "name after the port"),
        (["smpp://:s3cret@host/name"], "must look like"),
        (["smpp://u:s3cret/x@host/name"], "%40"),
        (["smpp://u:s3cret@host:port/name"], "must look like"),
        (["smpp://u:s3cret#x@host/name"], "%40"),
        (["smpp://u:s3cret123@host/name"], "at most 8 ASCII signs as password"),
        (["smpp://u:s3cr%C3%A9t@host/name"], "as password"),
        (["smpp://a_user_of_16_xxx:s3cret@host/name"], "at most 15 ASCII signs as user"),
        (["smpp://u:s3cret@host/name?id=hex"], "no option 'id', but system_type"),
        (["smpp://u:s3cret@host/name?ids=octal"], "must be text, hex or decimal"),
        (["smpp://u:s3cret@host/name?receipt_ids=hex"], "must both be numbers"),
        (["smpp://u:s3cret@host/name?receipts=maybe"], "marked or unmarked"),
        (["smpp://u:s3cret@host/name?time_zone=Mars"], "no time zone 'Mars'"),
        (["smpp://u:s3cret@host/name?ca=/nowhere.pem"], "no file '/nowhere.pem'"),
        (["smpp://u:s3cret@host/name?ids"], "must look like"),
        (["smpp://u:p@a/name", "smpp://u:s3cret@b/name"], "number 2: there are two of the name 'name'"),
    ],
)
def test_what_is_wrong_stops_the_start_without_showing_the_password(urls: list[str], says: str) -> None:
    with pytest.raises(ImproperlyConfigured) as stopped:
        connections_of(urls)

    assert says in str(stopped.value)
    assert "s3cr" not in str(stopped.value)
    assert stopped.value.__cause__ is None
    assert stopped.value.__suppress_context__


@pytest.mark.parametrize(
    ("ids", "receipt_ids", "submitted", "in_text", "in_tlv"),
    [
        ("text", "text", "0A-b", "0A-b", ""),
        ("text", "text", "4711", "something else", "4711"),
        ("hex", "decimal", "00BC614E", "12345678", ""),
        ("hex", "decimal", "00BC614E", "12345678", "bc614e"),
        ("hex", "decimal", "00BC614E", "12345678", "12345678"),
        ("decimal", "hex", "12345678", "BC614E", ""),
        ("decimal", "hex", "12345678", "BC614E", "12345678"),
        ("hex", "hex", "bc614e", "00BC614E", ""),
        ("decimal", "decimal", "0012345678", "12345678", ""),
        ("decimal", "decimal", "not-a-number", "not-a-number", ""),
    ],
)
def test_a_receipt_names_the_message_however_the_smsc_writes_its_id(
    ids: str, receipt_ids: str, submitted: str, in_text: str, in_tlv: str
) -> None:
    connection = Connection("telia", ids=ids, receipt_ids=receipt_ids)

    assert connection.receipted_id(in_text, in_tlv) == connection.submitted_id(submitted)


@pytest.mark.parametrize(
    ("ids", "receipt_ids", "in_text", "in_tlv", "other"),
    [
        ("hex", "decimal", "", "12345678", "telia/12345678"),
        ("decimal", "hex", "", "BC614E", "telia/12345678"),
        # The text says it as it should, or letters show that it is hexadecimal.
        ("hex", "decimal", "12345678", "12345678", ""),
        ("hex", "decimal", "", "bc614e", ""),
        ("hex", "hex", "", "12345678", ""),
        ("text", "text", "", "12345678", ""),
        ("hex", "decimal", "", "", ""),
    ],
)
def test_an_id_in_the_tlv_alone_may_be_written_as_in_the_text(
    ids: str, receipt_ids: str, in_text: str, in_tlv: str, other: str
) -> None:
    assert Connection("telia", ids=ids, receipt_ids=receipt_ids).other_id(in_text, in_tlv) == other


def test_the_same_id_of_two_smscs_is_two_ids() -> None:
    assert Connection("one").submitted_id("4711") != Connection("two").submitted_id("4711")
