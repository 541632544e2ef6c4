"""The adapter: ids, codes and dates as set for the connection; SMS that people send; and no way in over HTTP."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from contacts.models import Block, Channel
from messaging.ledger.record import SourcedEvent
from messaging.models import Report
from messaging.providers.base import ParsedReport, Raw, UnreadableError
from messaging.providers.registry import providers
from messaging.providers.smpp import reports as smpp
from messaging.smpp.connections import Connection
from messaging.status.order import Event, Status
from messaging.suppression.follow import apply
from tests.messaging.conftest import make_contact, make_message
from tests.messaging.inbox.test_payloads import RECEIVED_AT
from tests.messaging.smpp import pdus


def reading(pdu: bytes, name: str = "telia") -> ParsedReport:
    return providers()["smpp"].parse(Raw(pdu, "application/x-smpp-pdu", "/telia", RECEIVED_AT, {"connection": name}))


def event(pdu: bytes) -> Event:
    (found,) = reading(pdu).events
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
def test_nothing_comes_in_over_http(method: str, settings: Settings) -> None:
    settings.SMPP_CONNECTIONS = {"telia": Connection("telia")}

    answer = Client().generic(method, "/webhooks/smpp/", pdus.deliver_sm(), "application/x-smpp-pdu")

    assert answer.status_code == 405
    assert not Report.objects.exists()


def test_it_is_set_up_once_an_smsc_is_named(settings: Settings) -> None:
    assert not providers()["smpp"].is_set_up()
    settings.SMPP_CONNECTIONS = {"telia": Connection("telia")}
    assert providers()["smpp"].is_set_up()


def test_ids_and_dates_are_read_as_the_connection_says(settings: Settings) -> None:
    zone = ZoneInfo("Europe/Stockholm")
    settings.SMPP_CONNECTIONS = {"telia": Connection("telia", ids="hex", receipt_ids="decimal", zone=zone)}

    found = event(pdus.receipt("0012345678"))

    assert found.provider_message_id == settings.SMPP_CONNECTIONS["telia"].submitted_id("bc614e")
    assert found.occurred_at.isoformat(timespec="minutes") == "2026-11-03T10:42+00:00"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("states", "status"), [(("DELIVRD", "UNDELIV"), Status.FAILED), (("UNDELIV", "DELIVRD"), Status.DELIVERED)]
)
@pytest.mark.parametrize("after", [10, 90])
@pytest.mark.parametrize("is_swapped", [False, True], ids=["as they came", "swapped"])
def test_of_two_receipts_of_one_minute_the_later_to_come_counts_and_the_number_is_not_blocked(
    states: tuple[str, str], status: Status, after: int, is_swapped: bool, settings: Settings
) -> None:
    telia = Connection("telia", zone=ZoneInfo("UTC"), codes="map")
    settings.SMPP_CONNECTIONS = {"telia": telia}
    message = make_message(Channel.SMS, make_contact(mobile="+46701234567"), provider="smpp")
    message.provider_message_id = telia.submitted_id("4711")
    message.save()
    since = RECEIVED_AT.replace(second=0, microsecond=0)
    told = list[Event]()
    for number, state in enumerate(states):
        text = f"id:4711 submit date:{since:%y%m%d%H%M} done date:{since:%y%m%d%H%M} stat:{state} err:001 text:"
        raw = Raw(
            pdus.deliver_sm(text), "application/x-smpp-pdu", "/telia",
            since + timedelta(seconds=after + number), {"connection": "telia"},
        )  # fmt: skip
        told += providers()["smpp"].parse(raw).events

    for each in reversed(told) if is_swapped else told:
        with transaction.atomic():
            apply([SourcedEvent(each)])

    message.refresh_from_db()
    assert message.status == status
    assert not Block.objects.filter(address=message.address_id, ended_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("number", "status"), [("46701234567", "delivered"), ("46701234568", "unknown")])
def test_a_tlv_alone_in_the_way_of_the_text_finds_the_sms_to_that_number(
    number: str, status: str, settings: Settings
) -> None:
    telia = Connection("telia", ids="hex", receipt_ids="decimal")
    settings.SMPP_CONNECTIONS = {"telia": telia}
    message = make_message(Channel.SMS, make_contact(mobile="+46701234567"), provider="smpp")
    message.provider_message_id = telia.submitted_id("BC614E")
    message.save()
    tlvs = {pdus.RECEIPTED_MESSAGE_ID: b"12345678\0", pdus.MESSAGE_STATE: b"\x02"}

    unmatched = apply([SourcedEvent(event(pdus.deliver_sm("", source=number, tlvs=tlvs)))])

    message.refresh_from_db()
    assert (message.status, len(unmatched)) == (status, int(status != "delivered"))


@pytest.mark.parametrize(
    ("codes", "error", "kind"),
    [
        ("", "001", "failed"),
        ("map", "001", "hard_bounce"),
        ("map", "1", "hard_bounce"),
        ("map", "027", "soft_bounce"),
        ("map", "000", "failed"),
        ("map", "999", "failed"),
        ("own", "007", "hard_bounce"),
        ("own", "001", "failed"),
    ],
)
def test_a_number_means_what_the_connection_says_and_else_nothing(
    codes: str, error: str, kind: str, settings: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "telia.toml"
    own.write_text('[codes]\n007 = ["hard_bounce", "user_unknown"]\n')
    settings.SMPP_CONNECTIONS = {"telia": Connection("telia", codes=str(own) if codes == "own" else codes)}

    assert event(pdus.receipt("4711", "UNDELIV", error)).kind == kind


def test_a_code_that_no_table_lists_is_noted(settings: Settings) -> None:
    settings.SMPP_CONNECTIONS = {"telia": Connection("telia", codes="map")}

    assert reading(pdus.receipt("4711", "UNDELIV", "999")).unmapped == [("telia", "999")]
    assert not reading(pdus.receipt("4711", "DELIVRD", "999")).unmapped


@pytest.mark.parametrize("codes", ["no_such_space", "/nowhere.toml"])
def test_codes_that_are_not_there_stop_the_start(codes: str, settings: Settings) -> None:
    settings.SMPP_CONNECTIONS = {"telia": Connection("telia", codes=codes)}

    with pytest.raises(ImproperlyConfigured, match=f"telia: codes={codes}"):
        smpp.check_codes()


def test_the_same_receipt_twice_is_one_fact_and_a_later_state_another() -> None:
    once, again = event(pdus.receipt("4711", sequence=1)), event(pdus.receipt("4711", sequence=9))
    other = event(pdus.receipt("4711", "UNDELIV"))

    assert once.idempotency_key == again.idempotency_key != other.idempotency_key


def test_an_sms_that_somebody_sent_says_nothing_of_our_messages() -> None:
    assert reading(pdus.deliver_sm("When do you open?", esm_class=0)) == ParsedReport()


@pytest.mark.parametrize(
    ("text", "coding", "esm_class"),
    [
        ("STOP", 0, 0),
        (" stopp! ", 0, 0),
        ("Stop".encode("utf-16-be"), 8, 0),
        (b"\x05\x00\x03\x07\x02\x01STOP", 0, 0x40),
    ],
)
def test_who_writes_stop_wants_no_more_sms(text: str | bytes, coding: int, esm_class: int) -> None:
    found = event(pdus.deliver_sm(text, esm_class=esm_class, data_coding=coding))

    assert (found.kind, found.recipient, found.message_id) == ("unsubscribed", "+46701234567", None)


def test_a_person_cannot_write_a_receipt_but_an_smsc_may_leave_it_unmarked(settings: Settings) -> None:
    pdu = pdus.deliver_sm(esm_class=0)
    with pytest.raises(UnreadableError, match="receipts=unmarked"):
        reading(pdu)

    settings.SMPP_CONNECTIONS = {"telia": Connection("telia", receipts="unmarked")}
    assert event(pdu).kind == "part_arrived"


@pytest.mark.parametrize(
    ("pdu", "says"),
    [
        (pdus.deliver_sm("stat:DELIVRD err:000"), "No id"),
        (pdus.deliver_sm("id:4711 stat:FUNNY"), "Unknown state: message_state '', stat 'FUNNY'"),
        (
            pdus.deliver_sm("", tlvs={pdus.RECEIPTED_MESSAGE_ID: b"4711\0", pdus.MESSAGE_STATE: b"\xc8"}),
            "message_state '200'",
        ),
        (pdus.pdu(0x15), "neither deliver_sm nor data_sm"),
        (pdus.deliver_sm()[:-1], "not one whole PDU"),
    ],
)
def test_what_cannot_be_read_says_why(pdu: bytes, says: str) -> None:
    with pytest.raises(UnreadableError) as unread:
        reading(pdu)

    assert says in str(unread.value)


@given(st.binary(max_size=200), st.sampled_from([pdus.DELIVER_SM, pdus.DATA_SM]))
def test_any_octets_are_read_or_unreadable(body: bytes, command: int) -> None:
    for pdu in (body, pdus.pdu(command, body), pdus.pdu(command, pdus.deliver_sm()[16:40] + body)):
        try:
            found = reading(pdu)
        except UnreadableError:
            continue
        assert all(each.provider == "smpp" for each in found.events)


@given(
    st.binary(max_size=100),
    st.integers(0, 255),
    st.dictionaries(st.sampled_from([0x1E, 0x423, 0x424, 0x427]), st.binary(max_size=8)),
)
def test_any_receipt_is_read_or_unreadable(text: bytes, esm_class: int, tlvs: dict[int, bytes]) -> None:
    try:
        found = reading(pdus.deliver_sm(b"id:1 " + text, esm_class=esm_class, tlvs=tlvs))
    except UnreadableError:
        return
    assert all(each.provider_message_id.startswith("telia/") for each in found.events)
