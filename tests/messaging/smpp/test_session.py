"""Nasty moments of a session: nothing is lost, nothing is answered before it is stored, and no secret is logged."""

import logging
from collections.abc import Callable
from threading import Event
from time import monotonic

import pytest
from django.db import connection, transaction

from contacts.models import Channel
from messaging.inbox import reports
from messaging.incoming import reconnect
from messaging.models import DeliveryEvent, Report
from messaging.smpp import session
from tests.messaging.conftest import make_message
from tests.messaging.smpp import fake_smsc as smpp
from tests.messaging.smpp.conftest import Start
from tests.messaging.smpp.fake_smsc import FakeSmsc
from tests.messaging.smpp.pdus import DELIVER_SM, data_sm, deliver_sm, pdu, receipt

pytestmark = pytest.mark.django_db(transaction=True)


def bodies() -> list[bytes]:
    return [bytes(each.body) for each in Report.objects.order_by("pk")]


def test_a_receipt_is_kept_as_it_came_and_then_answered(smsc: FakeSmsc, start: Start) -> None:
    start()
    with smsc.client() as client:
        said, names = client.hear_bind()
        assert names == [b"engage", b"s3cret", b""]
        client.answer(said, b"fake\0")
        client.send(deliver_sm(sequence=7))
        client.expect_answers(smpp.DELIVER_RESP, 7)

        report = Report.objects.get()
    assert (report.provider, bytes(report.body)) == ("smpp", deliver_sm(sequence=7))
    assert (report.content_type, report.path, report.headers) == (
        "application/x-smpp-pdu", "/telia", {"connection": "telia"},
    )  # fmt: skip


def test_a_burst_is_answered_whole_in_halves_and_with_requests_in_between(smsc: FakeSmsc, start: Start) -> None:
    start()
    sent = [receipt(str(number), sequence=number) for number in range(1, 301)]
    with smsc.client() as client:
        said, _ = client.hear_bind()
        # Receipts that have waited may be quicker than the rest of our bind.
        client.send(pdu(smpp.BIND_RESP, b"fake\0", sequence=said.sequence), sent[0])
        client.expect_answers(smpp.DELIVER_RESP, 1)
        stream = b"".join(sent[1:])
        client.send(stream[:10_001])
        client.send(stream[10_001:-7])
        client.send(stream[-7:])
        client.expect_answers(smpp.DELIVER_RESP, *range(2, 301))

        client.send(pdu(smpp.ENQUIRE, sequence=400), data_sm({0x1E: b"1\0"}, sequence=401), pdu(0x21, sequence=402))
        assert {client.hear().command for _ in range(2)} == {smpp.ENQUIRE_RESP, smpp.DATA_RESP}
        assert client.expect(smpp.NACK, 0x03).sequence == 402
    assert bodies() == [*sent, data_sm({0x1E: b"1\0"}, sequence=401)]


def test_what_cannot_be_stored_is_refused_for_the_time_being(
    smsc: FakeSmsc, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    start()
    with smsc.client() as client:
        client.bind()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE messaging_report RENAME TO gone")
            try:
                client.send(deliver_sm(sequence=1), deliver_sm(sequence=2))
                client.expect_answers(smpp.DELIVER_RESP, 1, 2, status=smpp.TEMPORARY)
            finally:
                cursor.execute("ALTER TABLE gone RENAME TO messaging_report")
        client.send(deliver_sm(sequence=3))
        client.expect_answers(smpp.DELIVER_RESP, 3)

    assert len(bodies()) == 1
    assert "takes no reports (ProgrammingError)" in caplog.text
    assert "46701234567" not in caplog.text


def test_a_lost_database_connection_is_made_anew(smsc: FakeSmsc, start: Start) -> None:
    start()
    with smsc.client() as client:
        client.bind()
        client.send(deliver_sm(sequence=1))
        client.expect_answers(smpp.DELIVER_RESP, 1)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        client.send(deliver_sm(sequence=2))
        client.expect_answers(smpp.DELIVER_RESP, 2)
    assert len(bodies()) == 2


def test_nothing_is_answered_before_the_commit(smsc: FakeSmsc, start: Start) -> None:
    start()
    with smsc.client() as client:
        client.bind()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE messaging_report IN EXCLUSIVE MODE")
            client.send(deliver_sm(sequence=1))
            client.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                client.hear()
        client.socket.settimeout(smpp.PATIENCE_SECONDS)
        client.expect_answers(smpp.DELIVER_RESP, 1)


def test_a_receipt_whose_answer_was_lost_comes_again_and_counts_once(smsc: FakeSmsc, start: Start) -> None:
    message = make_message(Channel.SMS, provider="smpp", provider_message_id="telia/4711")
    start()
    with smsc.client() as client:
        client.bind()
        client.send(receipt("4711", sequence=1))
    with smsc.client() as client:
        client.bind()
        client.send(receipt("4711", sequence=1))
        client.expect_answers(smpp.DELIVER_RESP, 1)

    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "delivered"
    assert DeliveryEvent.objects.filter(message=message).count() == 1


def test_an_sms_from_a_person_is_kept_and_answered(smsc: FakeSmsc, start: Start) -> None:
    start()
    with smsc.client() as client:
        client.bind()
        client.send(deliver_sm("When do you open?", esm_class=0, sequence=5))
        client.expect_answers(smpp.DELIVER_RESP, 5)

    reports.apply_pending()

    report = Report.objects.get()
    assert (report.state, report.events, report.error) == ("applied", 0, "")


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, deliver_sm(sequence=1)[:30]],
    ids=["http", "nul", "half"],
)
def test_after_garbage_or_half_a_pdu_it_comes_back(smsc: FakeSmsc, start: Start, garbage: bytes) -> None:
    start()
    with smsc.client() as client:
        client.bind()
        client.send(garbage)
        client.socket.shutdown(1)
        client.expect_the_end()
    with smsc.client() as client:
        client.bind()
        client.send(deliver_sm(sequence=2))
        client.expect_answers(smpp.DELIVER_RESP, 2)
    assert bodies() == [deliver_sm(sequence=2)]


def test_a_delivery_that_cannot_be_read_is_kept_with_the_error(smsc: FakeSmsc, start: Start) -> None:
    start()
    with smsc.client() as client:
        client.bind()
        client.send(pdu(DELIVER_SM, b"\xff" * 20, sequence=1))
        client.expect_answers(smpp.DELIVER_RESP, 1)

    reports.apply_pending()

    assert "parameters break off" in Report.objects.get(state="unreadable").error


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (0x0E, "Check user, password and system_type"),
        (0x0F, "Check user, password and system_type"),
        (0x0D, "ask the operator whether our address is on their list"),
        (0x05, "Another process is bound"),
        (0x58, "whether the account may bind"),
    ],
)
def test_a_refused_bind_says_what_to_do_and_not_the_password(
    status: int, says: str, smsc: FakeSmsc, start: Start, stop: Event, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(reconnect, "LONGEST_WAIT_SECONDS", 0.1)
    start()
    for _ in range(2):
        with smsc.client() as client:
            said, _ = client.hear_bind()
            client.answer(said, status=status)
            client.expect_the_end()
    stop.set()

    assert says in caplog.text
    assert "s3cret" not in caplog.text


def test_who_is_refused_waits_for_long(smsc: FakeSmsc, start: Start, stop: Event) -> None:
    thread = start()
    with smsc.client() as client:
        said, _ = client.hear_bind()
        client.answer(said, status=0x0E)
        client.expect_the_end()
    smsc._listening.settimeout(0.5)
    with pytest.raises(TimeoutError), smsc.client():
        pass
    stop.set()
    thread.join(2)
    assert not thread.is_alive()


def test_a_line_that_has_died_is_noticed(smsc: FakeSmsc, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_SECONDS", "ENQUIRE_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(session, name, 0.2)
    start()
    with smsc.client() as client:
        client.bind()
        for _ in range(2):
            client.answer(client.expect(smpp.ENQUIRE))
        # Half a PDU is no sign of life.
        client.expect(smpp.ENQUIRE)
        client.send(deliver_sm()[:30])
        client.expect_the_end()
    with smsc.client() as client:
        client.bind()


def test_when_the_smsc_unbinds_it_is_answered_and_bound_again(smsc: FakeSmsc, start: Start) -> None:
    start()
    with smsc.client() as client:
        client.bind()
        client.send(pdu(smpp.UNBIND, sequence=9))
        assert client.expect(smpp.UNBIND_RESP).sequence == 9
        client.expect_the_end()
    with smsc.client() as client:
        client.bind()


def test_stopped_it_unbinds_and_takes_what_still_comes(smsc: FakeSmsc, start: Start, stop: Event) -> None:
    thread = start()
    with smsc.client() as client:
        client.bind()
        stop.set()
        said = client.expect(smpp.UNBIND)
        client.send(deliver_sm(sequence=3))
        client.expect_answers(smpp.DELIVER_RESP, 3)
        client.answer(said)
        client.expect_the_end()
    thread.join(5)
    assert len(bodies()) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"host": "no-such-host.invalid"}, "there is no host 'no-such-host.invalid'"),
        ({"port": 1}, "127.0.0.1:1 takes no connections"),
    ],
)
def test_a_host_out_of_reach_is_named(
    fields: dict[str, object], says: str, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    start(**fields)
    wait_for(lambda: says in caplog.text)


def test_waits_grow_and_differ() -> None:
    assert 0.5 <= reconnect.wait_seconds(0) <= 1
    assert 4 <= reconnect.wait_seconds(3) <= 8
    assert 30 <= reconnect.wait_seconds(10_000) <= 60
    assert len({reconnect.wait_seconds(3) for _ in range(9)}) > 1


def test_over_tls_the_certificate_is_checked(start: Start, stop: Event, smpps: FakeSmsc, ca: str) -> None:
    start(port=smpps.port, is_encrypted=True, ca=ca)
    with smpps.client() as client:
        client.bind()
        client.send(*[deliver_sm(sequence=number) for number in range(1, 501)])
        client.expect_answers(smpp.DELIVER_RESP, *range(1, 501))
    stop.set()
    assert len(bodies()) == 500


def test_over_tls_a_stranger_learns_no_password(
    start: Start, caplog: pytest.LogCaptureFixture, smpps: FakeSmsc
) -> None:
    start(port=smpps.port, is_encrypted=True)
    with pytest.raises(OSError), smpps.client():  # noqa: PT011 -- of whichever kind
        pass
    wait_for(lambda: "is not trusted (self-signed certificate)" in caplog.text)


def wait_for(is_so: Callable[[], bool]) -> None:
    until = monotonic() + 10
    while not is_so():
        assert monotonic() < until
        Event().wait(0.05)
