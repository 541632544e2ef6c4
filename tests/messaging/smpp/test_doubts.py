"""SMS in doubt, against the SMPP server of smpp34: killed between submit_sm and commit, and settled by the receipt."""

import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings
from smpplib.client import Client

from contacts.models import Channel
from messaging.delivery.heartbeat import SILENT_AFTER
from messaging.inbox import reports
from messaging.models import Batch, DeliveryEvent, Message, Part, Report, SendOut
from messaging.sendouts import making
from messaging.sendouts.lifecycle import start
from messaging.sendouts.outcome import keeping
from messaging.smpp.connections import connections_of
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.processes import PATIENCE_SECONDS, Process, wait_for
from tests.messaging.sendouts.people import make_send_out

pytestmark = pytest.mark.django_db(transaction=True)

# Taken and never answered by the SMSC, which gives back no reference, or does.
PLAIN, REFERENCED = "+46701234597", "+46701234596"
# Taken without an id.
NAMELESS = "+46701234595"
Run = Callable[[], Process]


@pytest.fixture
def run(port: int, database_url: str, settings: Settings, tmp_path: Path) -> Iterator[Run]:
    url = f"smpp://engage:s3cret@127.0.0.1:{port}/real?ids=hex&receipt_ids=decimal&time_zone=UTC"
    settings.SMPP_CONNECTIONS = connections_of([url])
    started: list[Process] = []

    def run() -> Process:
        log = tmp_path / f"client-{len(started)}.log"
        environment = {"SMPP_URLS": url, "SMS_ROUTE": "smpp:", "DATABASE_URL": database_url}
        started.append(Process(log, "manage.py", "smpp", **environment))
        return started[-1]

    yield run
    for each in started:
        if each.running.poll() is None:
            each.end(signal.SIGKILL)


def sent_to(number: str, *texts: str) -> list[SendOut]:
    """A send-out of each text to somebody with that number."""
    make_contact(mobile=number, email="")
    made = []
    for text in texts:
        send_out = make_send_out(Channel.SMS, sender="Engage")
        assert send_out.content is not None
        send_out.content.text = text
        send_out.content.save()
        start(send_out.pk)
        making.make_rows(send_out.pk)
        made.append(send_out)
    return made


def are_at(real_smsc: Process, number: int) -> bool:
    return real_smsc.log.read_text().count("got ") == number


def kill_in_doubt(real_smsc: Process, run: Run, *submits: int) -> None:
    """Each time when so many submit_sm are at the SMSC, and nothing is committed of the last; another worker finds out
    and goes on."""
    client = run()
    for number in submits:
        wait_for(partial(are_at, real_smsc, number))
        client.end(signal.SIGKILL)
        Batch.objects.update(claimed_at=timezone.now() - SILENT_AFTER - timedelta(seconds=1))
        client = run()
    wait_for(lambda: not Message.objects.filter(status="waiting").exists())


def messages() -> list[Message]:
    return list(Message.objects.order_by("pk"))


def receipts_are_in(number: int) -> None:
    """Kept, and read again now: what found nothing waits for minutes."""
    wait_for(lambda: Report.objects.count() == number)
    Report.objects.update(next_at=timezone.now())
    reports.apply_pending()


@pytest.mark.usefixtures("groups")
def test_the_receipt_settles_it_and_the_card_says_by_what(real_smsc: Process, run: Run) -> None:
    (send_out,) = sent_to(PLAIN, "DELIVRD 000")
    kill_in_doubt(real_smsc, run, 1)
    keeping.look(margin=timedelta(0))
    client = log_in("Marketers")
    page = client.get(send_out.get_absolute_url()).content.decode()
    assert "1 of them is in doubt" in page
    (message,) = messages()
    details = client.get(message.get_absolute_url()).content.decode()
    assert "Nobody knows whether it left" in details

    receipts_are_in(1)

    (message,) = messages()
    assert (message.status, message.attempts) == ("delivered", 1)
    assert message.events.get(kind="delivered").caveat == "guessed"
    assert "matched by number and time" in client.get(message.get_absolute_url()).content.decode()
    keeping.look(margin=timedelta(0))
    assert "in doubt" not in client.get(send_out.get_absolute_url()).content.decode()
    assert are_at(real_smsc, 1)


def test_two_in_doubt_to_one_number_are_not_guessed(real_smsc: Process, run: Run) -> None:
    sent_to(PLAIN, "DELIVRD 000", "UNDELIV 001")
    kill_in_doubt(real_smsc, run, 1, 2)

    receipts_are_in(2)

    assert {each.status for each in messages()} == {"unknown"}
    assert set(Report.objects.values_list("state", flat=True)) == {"unmatched"}
    assert not Part.objects.exists()


def test_the_reference_that_comes_back_tells_two_apart(real_smsc: Process, run: Run) -> None:
    sent_to(REFERENCED, "DELIVRD 000", "EXPIRED 000")
    kill_in_doubt(real_smsc, run, 1, 2)

    receipts_are_in(2)

    assert [each.status for each in messages()] == ["delivered", "expired"]
    assert DeliveryEvent.objects.filter(caveat="guessed").count() == 2


def test_what_is_taken_without_an_id_is_in_doubt_until_its_receipt_is_matched(real_smsc: Process, run: Run) -> None:
    sent_to(NAMELESS, "DELIVRD 000")
    client = run()
    wait_for(lambda: not Message.objects.filter(status="waiting").exists())
    (message,) = messages()
    accepted = message.events.get(kind="accepted")
    assert (accepted.caveat, message.provider_message_id) == ("in_doubt", None)
    assert "gave no id" in accepted.diagnostic
    assert "took 1 submit_sm without a message_id" in client.log.read_text()

    receipts_are_in(1)

    assert [each.status for each in messages()] == ["delivered"]
    assert are_at(real_smsc, 1)


def test_each_part_finds_it_and_it_is_delivered_with_the_last(real_smsc: Process, run: Run) -> None:
    sent_to(PLAIN, "Z" * 400)
    kill_in_doubt(real_smsc, run, 3)

    receipts_are_in(3)

    (message,) = messages()
    assert (message.status, message.parts, message.parts_arrived) == ("delivered", 3, 3)
    assert Part.objects.filter(message=message, is_guessed=True).count() == 3


def test_a_receipt_for_what_another_system_sent_stays_unmatched(real_smsc: Process, run: Run, port: int) -> None:
    sent_to("+46701234501", "DELIVRD 000")
    run()
    wait_for(lambda: not Message.objects.filter(status="waiting").exists())
    other = Client("127.0.0.1", port, timeout=PATIENCE_SECONDS, allow_unknown_opt_params=True)
    other.connect()
    other.bind_transmitter(system_id="engage", password="s3cret")
    other.send_message(
        source_addr="Engage", destination_addr="46701234501", short_message=b"UNDELIV 001", registered_delivery=1
    )
    other.read_pdu()
    other.disconnect()

    receipts_are_in(2)

    assert [each.status for each in messages()] == ["delivered"]
    assert sorted(Report.objects.values_list("state", flat=True)) == ["applied", "unmatched"]
