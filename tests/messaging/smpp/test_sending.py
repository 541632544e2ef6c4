"""Send-outs by SMPP, against the SMPP server of smpp34 in a process of its own: what leaves, and what comes of it."""

import json
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
import smpp34
from django.utils import timezone
from pytest_django import Settings
from smpplib import consts

from contacts.models import Block, Channel, Contact
from messaging.delivery.heartbeat import SILENT_AFTER
from messaging.delivery.sms_routes import sms_route_of
from messaging.inbox import reports
from messaging.incoming import reconnect
from messaging.ledger.sweep import give_up_due
from messaging.models import Batch, Message, Part, SendOut
from messaging.sendouts import lifecycle
from messaging.smpp import keeper, sender, window
from messaging.smpp.connections import connections_of
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.processes import Process, wait_for
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.smpp.fake_smsc import UNBIND, FakeSmsc, Said
from tests.messaging.smpp.pdus import pdu

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = "+467012345"
SUBMIT = 0x00000004
Start = Callable[..., Event]


@pytest.fixture
def start(
    real_smsc: Process, port: int, settings: Settings, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Iterator[Start]:
    """Our client in threads of this process, which sends. Returns what stops it."""
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(sender, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(reconnect, "FIRST_WAIT_SECONDS", 0.05)
    stop, threads = Event(), []

    def start(options: str = "") -> Event:
        url = f"smpp://engage:s3cret@127.0.0.1:{port}/real?ids=hex&receipt_ids=decimal&codes=map{options}"
        settings.SMPP_CONNECTIONS = connections_of([url])
        settings.SMS_ROUTE = sms_route_of("smpp:", settings.SMPP_CONNECTIONS)
        threads.extend(keeper.keep_all_bound(settings.SMPP_CONNECTIONS.values(), stop, lambda _name: True))
        return stop

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def sent_to(*endings: str, text: str = "DELIVRD 000", **fields: Any) -> SendOut:
    """A send-out by SMS whose rows are made, to numbers that end so."""
    for ending in endings:
        make_contact(first_name=f"N{ending}", mobile=f"{NUMBER}{ending}", email="")
    made = make_send_out(Channel.SMS, sender="Engage", **fields)
    assert made.content is not None
    made.content.text = text
    made.content.save()
    run(made)
    return made


def messages(send_out: SendOut) -> dict[str, Message]:
    """By the last two digits of the number."""
    found = Message.objects.filter(send_out=send_out).select_related("address")
    return {each.address.value[-2:]: each for each in found}


def all_say(send_out: SendOut, *statuses: str, but: str = "") -> Callable[[], bool]:
    def check() -> bool:
        reports.apply_pending()
        return {each.status for ending, each in messages(send_out).items() if ending != but} <= set(statuses)

    return check


def got(real_smsc: Process) -> list[dict[str, Any]]:
    lines = [line for line in real_smsc.log.read_text().splitlines() if line.startswith("got ")]
    return [json.loads(line.removeprefix("got ")) for line in lines]


def times_got(real_smsc: Process, ending: str) -> int:
    return sum(each["number"][2].endswith(ending) for each in got(real_smsc))


def test_a_send_out_leaves_and_its_receipts_become_statuses(real_smsc: Process, start: Start) -> None:
    send_out = sent_to("01", "02", text="UNDELIV 001")
    start()
    wait_for(all_say(send_out, "hard_bounce"))

    anna = messages(send_out)["01"]
    assert (anna.status, anna.reason, anna.provider, anna.attempts) == ("hard_bounce", "user_unknown", "smpp", 1)
    assert anna.provider_message_id is not None
    assert anna.provider_message_id.startswith("real/")
    assert Block.objects.filter(address=anna.address).exists()
    assert Batch.objects.get().done_at is not None


def test_what_arrives_at_the_smsc_says_who_to_whom_and_what(real_smsc: Process, start: Start) -> None:
    send_out = sent_to("01", text="Hej {[[firstName]]} €@")
    start()
    wait_for(all_say(send_out, "delivered"))

    (sent,) = got(real_smsc)
    assert (sent["source"], sent["number"]) == ([5, 0, "Engage"], [1, 1, "46701234501"])
    assert (sent["esm_class"], sent["data_coding"], sent["registered"]) == (0, 0, 1)
    assert bytes.fromhex(sent["message"]) == b"Hej \x1b(N01\x1b) \x1be\x00"


@pytest.mark.parametrize(
    ("options", "count", "esm_class"), [("", 3, 0x40), ("&long=sar", 3, 0), ("&long=payload", 1, 0)]
)
def test_a_long_sms_travels_in_parts_and_is_delivered_once_all_of_them_are(
    options: str, count: int, esm_class: int, real_smsc: Process, start: Start
) -> None:
    text = "å" * 150 + "Z" * 160
    send_out = sent_to("01", text=text)
    start(options)
    wait_for(all_say(send_out, "delivered"))

    message = messages(send_out)["01"]
    assert (message.status, message.parts, message.parts_arrived) == ("delivered", count, count)
    assert Part.objects.filter(message_id=message.pk).count() == count - 1
    parts = sorted(got(real_smsc), key=place_of)  # the SMSC hears them in any order
    assert [each["esm_class"] for each in parts] == [esm_class] * count
    bodies = [bytes.fromhex(each["message"] or each["tlvs"]["0x424"]) for each in parts]
    if esm_class:
        assert [each[:3] + each[4:6] for each in bodies] == [bytes((5, 0, 3, 3, n)) for n in (1, 2, 3)]
        assert len({each[3] for each in bodies}) == 1
        bodies = [each[6:] for each in bodies]
    assert b"".join(bodies) == b"\x0f" * 150 + b"Z" * 160


def place_of(part: dict[str, Any]) -> int:
    """By its header, or the parameter sar_segment_seqnum."""
    if part["esm_class"]:
        return bytes.fromhex(part["message"])[5]
    return int(part["tlvs"].get("0x20f", "0"), 16)


def test_what_gsm_lacks_travels_as_ucs_2(real_smsc: Process, start: Start) -> None:
    send_out = sent_to("01", text="Привет 😀")
    start()
    wait_for(all_say(send_out, "delivered"))

    (sent,) = got(real_smsc)
    assert (sent["data_coding"], bytes.fromhex(sent["message"]).decode("utf-16-be")) == (8, "Привет 😀")


def test_throttled_it_is_submitted_again_within_seconds_and_arrives_once(real_smsc: Process, start: Start) -> None:
    send_out = sent_to("01", "58", "02")
    start()
    wait_for(all_say(send_out, "delivered"))

    assert {each.status for each in messages(send_out).values()} == {"delivered"}
    assert (times_got(real_smsc, "58"), times_got(real_smsc, "01")) == (2, 1)
    assert messages(send_out)["58"].attempts == 1


def test_throttled_for_longer_it_is_put_off_and_tried_again(
    real_smsc: Process, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "PATIENCE_SECONDS", 0.3)
    send_out = sent_to("20")
    start()
    wait_for(all_say(send_out, "unknown"))

    message = messages(send_out)["20"]
    assert (message.status, message.reason, message.code) == ("unknown", "rate_limited", "RMSGQFUL")
    assert message.next_attempt_at is not None
    Message.objects.update(next_attempt_at=timezone.now())
    wait_for(lambda: messages(send_out)["20"].attempts == 2)
    assert messages(send_out)["20"].attempts == 2


def test_a_fault_of_the_smsc_is_tried_again_and_the_number_it_refuses_is_not_blocked(
    real_smsc: Process, start: Start
) -> None:
    send_out = sent_to("08", "11")
    start()
    wait_for(lambda: messages(send_out)["08"].next_attempt_at is not None)
    assert (messages(send_out)["11"].status, messages(send_out)["11"].code) == ("failed", "RINVDSTADR")
    assert not Block.objects.exists()

    Message.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=timezone.now())
    wait_for(all_say(send_out, "delivered", "failed"))
    assert messages(send_out)["08"].status == "delivered"


def test_who_opted_out_or_was_blocked_meanwhile_gets_nothing(real_smsc: Process, start: Start) -> None:
    send_out = sent_to("01", "02", "03")
    Contact.objects.filter(first_name="N01").update(accepts_sms=False)
    blocked = messages(send_out)["02"].address
    Block.objects.create(address=blocked, started_at=timezone.now(), cause="test", reason="user_unknown")
    start()
    wait_for(all_say(send_out, "delivered", "soft_bounce"))

    assert [each["number"][2] for each in got(real_smsc)] == ["46701234503"]
    assert messages(send_out)["01"].reason == messages(send_out)["02"].reason == "suppressed"


def test_without_an_answer_it_is_in_doubt_and_never_sent_again(
    real_smsc: Process, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "ANSWER_SECONDS", 0.3)
    send_out = sent_to("99")
    start()
    wait_for(all_say(send_out, "unknown"))

    message = messages(send_out)["99"]
    assert (message.status, message.next_attempt_at) == ("unknown", None)
    assert message.events.get().caveat == "in_doubt"
    assert times_got(real_smsc, "99") == 1


def test_when_the_line_breaks_what_was_sent_is_in_doubt_and_what_was_not_is_tried_again(
    real_smsc: Process, start: Start, port: int, tmp_path: Path
) -> None:
    send_out = sent_to("99", "01", "02", "03")
    start("&window=1")
    wait_for(lambda: times_got(real_smsc, "99") == 1)
    real_smsc.end(signal.SIGKILL)
    wait_for(all_say(send_out, "unknown"))

    found = messages(send_out)
    assert found["99"].events.get().caveat == "in_doubt"
    assert found["99"].next_attempt_at is None
    assert all(found[ending].next_attempt_at for ending in ("01", "02", "03"))

    again = Process(tmp_path / "again.log", "-m", "tests.messaging.smpp.real_smsc", str(port))
    again.wait_for("bound")
    Message.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=timezone.now())
    wait_for(all_say(send_out, "delivered", but="99"))
    assert [each.status for end, each in messages(send_out).items() if end != "99"] == ["delivered"] * 3
    assert times_got(again, "99") == 0
    again.end(signal.SIGKILL)


def test_killed_between_submit_and_commit_nobody_gets_it_twice_and_the_card_says_why(
    real_smsc: Process, port: int, database_url: str, tmp_path: Path
) -> None:
    send_out = sent_to("99", "01", "02")
    environment = {
        "SMPP_URLS": f"smpp://engage:s3cret@127.0.0.1:{port}/real?ids=hex&receipt_ids=decimal",
        "SMS_ROUTE": "smpp:",
        "DATABASE_URL": database_url,
    }
    client = Process(tmp_path / "client.log", "manage.py", "smpp", **environment)
    wait_for(lambda: len(got(real_smsc)) == 3)  # one of them is never answered, so nothing is committed yet
    client.end(signal.SIGKILL)
    assert {each.status for each in messages(send_out).values()} == {"waiting"}
    assert {each.attempts for each in messages(send_out).values()} == {1}

    Batch.objects.update(claimed_at=timezone.now() - SILENT_AFTER - timedelta(seconds=1))
    again = Process(tmp_path / "again.log", "manage.py", "smpp", **environment)
    wait_for(lambda: {each.status for each in messages(send_out).values()} == {"unknown"})
    assert again.end() == 0

    assert {each.events.get().caveat for each in messages(send_out).values()} == {"in_doubt"}
    assert len(got(real_smsc)) == 3


def test_after_48_hours_it_is_given_up_and_tried_no_more(
    real_smsc: Process, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "PATIENCE_SECONDS", 0.3)
    send_out = sent_to("20")
    start()
    wait_for(all_say(send_out, "unknown"))
    first = timezone.now() - timedelta(hours=47)
    Message.objects.update(sent_at=first, due_at=first + timedelta(hours=48), next_attempt_at=timezone.now())
    wait_for(lambda: messages(send_out)["20"].attempts == 2)

    Message.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    give_up_due()
    Message.objects.update(next_attempt_at=timezone.now())
    wait_for(lambda: messages(send_out)["20"].next_attempt_at is None)
    message = messages(send_out)["20"]
    assert (message.status, message.next_attempt_at, message.attempts) == ("expired", None, 2)


def test_the_operator_is_told_for_how_long_it_may_try(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    send_out = sent_to("01")
    smsc, stop = FakeSmsc(), Event()
    settings.SMPP_CONNECTIONS = connections_of([f"smpp://engage:s3cret@127.0.0.1:{smsc.port}/fake"])
    (thread,) = keeper.keep_all_bound(settings.SMPP_CONNECTIONS.values(), stop, lambda _name: True)
    with smsc.client() as client:
        client.bind()
        first = client.expect(SUBMIT)
        client.answer(first, b"\0", status=consts.SMPP_ESME_RSYSERR)
        wait_for(lambda: messages(send_out)["01"].next_attempt_at is not None)
        Message.objects.update(sent_at=timezone.now() - timedelta(hours=47), next_attempt_at=timezone.now())
        second = client.expect(SUBMIT)
        client.answer(second, b"4711\0")
        wait_for(lambda: messages(send_out)["01"].provider_message_id == "fake/4711")
        stop.set()
        client.expect(UNBIND)
    thread.join()
    smsc.close()

    assert validity_of(first) in {"000001235959000R", "000001235958000R", "000001235957000R"}
    assert validity_of(second) in {"000000005959000R", "000000005958000R", "000000005957000R"}


def validity_of(said: Said) -> str:
    """As the codec of smpp34 reads it."""
    decoded = smpp34.decode(pdu(SUBMIT, said.body, sequence=said.sequence))
    assert isinstance(decoded, smpp34.SubmitSm)
    assert decoded.registered_delivery == 1
    return decoded.validity_period


@pytest.mark.usefixtures("groups")
def test_pausing_stops_it_within_seconds_and_resuming_goes_on(real_smsc: Process, start: Start) -> None:
    endings = [f"{number:02}" for number in range(30, 58)]
    send_out = sent_to(*endings)
    somebody = int(log_in("Marketers").session["_auth_user_id"])
    start("&rate=10")
    wait_for(lambda: len(got(real_smsc)) > 2)
    lifecycle.pause(send_out.pk, somebody)
    sleep(2.5)
    before = len(got(real_smsc))
    sleep(1)
    assert len(got(real_smsc)) == before < len(endings)

    lifecycle.resume(send_out.pk, somebody)
    wait_for(all_say(send_out, "delivered"))
    assert len(got(real_smsc)) == len(endings)


def test_stopping_waits_for_what_is_on_its_way(real_smsc: Process, start: Start) -> None:
    send_out = sent_to(*(f"{number:02}" for number in range(30, 58)))
    stop = start("&rate=20")
    wait_for(lambda: len(got(real_smsc)) > 2)
    stop.set()
    real_smsc.wait_for("unbound")

    left = {ending for ending, each in messages(send_out).items() if each.status == "waiting"}
    assert all(each.attempts == 0 for ending, each in messages(send_out).items() if ending in left)
    assert not any(each.events.filter(caveat="in_doubt") for each in messages(send_out).values())
