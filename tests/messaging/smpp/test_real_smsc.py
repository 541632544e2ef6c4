"""`manage.py smpp` as a process, against the SMPP server of smpp34 as another: from submit_sm to the status."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from django.db import connection, transaction
from smpplib.client import Client

from contacts.models import Channel
from messaging.inbox import reports
from messaging.models import DeliveryEvent, Message, Report
from messaging.smpp.connections import Connection, connections_of
from tests.messaging.conftest import make_message
from tests.messaging.processes import PATIENCE_SECONDS, Process, is_somebody_waiting_for_the_table, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def url(port: int) -> str:
    return f"smpp://engage:s3cret@127.0.0.1:{port}/real?ids=hex&receipt_ids=decimal&codes=map"


@pytest.fixture
def real(url: str, settings: pytest.FixtureRequest) -> Connection:
    """The connection, in this process as in that of `manage.py smpp`."""
    settings.SMPP_CONNECTIONS = connections_of([url])  # type: ignore[attr-defined]
    return connections_of([url])["real"]


@pytest.fixture
def run_client(url: str, real: Connection, database_url: str, tmp_path: Path) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def run() -> Process:
        log = tmp_path / f"client-{len(started)}.log"
        started.append(Process(log, "manage.py", "smpp", SMPP_URLS=url, DATABASE_URL=database_url))
        return started[-1]

    yield run
    for each in started:
        if each.running.poll() is None:
            each.end(signal.SIGKILL)


@pytest.fixture
def send(port: int, real: Connection) -> Iterator[Callable[[str], Message]]:
    """Sends an SMS as another session of ours, and writes down its message as the sending will."""
    client = Client("127.0.0.1", port, timeout=PATIENCE_SECONDS, allow_unknown_opt_params=True)
    client.connect()
    client.bind_transmitter(system_id="engage", password="s3cret")

    def send(text: str) -> Message:
        client.send_message(
            source_addr="Engage", destination_addr="46701234567", short_message=text.encode(), registered_delivery=1
        )
        accepted = client.read_pdu().message_id.decode()
        return make_message(Channel.SMS, provider="smpp", provider_message_id=real.submitted_id(accepted))

    yield send
    client.disconnect()


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("DELIVRD 000", "delivered", ""),
        ("DELIVRD 000 tlv", "delivered", ""),
        ("UNDELIV 001", "hard_bounce", "user_unknown"),
        ("UNDELIV 001 tlv", "hard_bounce", "user_unknown"),
        ("UNDELIV 27 tlv", "soft_bounce", "network"),
        ("EXPIRED 000", "expired", "expired"),
    ],
)
def test_a_receipt_becomes_the_status_of_its_message(
    text: str,
    status: str,
    reason: str,
    real_smsc: Process,
    run_client: Callable[[], Process],
    send: Callable[[str], Message],
) -> None:
    client = run_client()
    client.wait_for("bound to")

    message = send(text)
    real_smsc.wait_for("answered")
    reports.apply_pending()

    message.refresh_from_db()
    assert (message.status, message.reason) == (status, reason)
    assert client.end() == 0
    real_smsc.wait_for("unbound")
    assert "unbound." in client.log.read_text()
    assert not any(secret in client.log.read_text() for secret in ("s3cret", "46701234567", "stat:"))


def test_killed_between_receiving_and_committing_the_receipt_comes_again_and_counts_once(
    real_smsc: Process, run_client: Callable[[], Process], send: Callable[[str], Message]
) -> None:
    client = run_client()
    client.wait_for("bound to")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE messaging_report IN EXCLUSIVE MODE")
        message = send("DELIVRD 000")
        wait_for(is_somebody_waiting_for_the_table)
        client.end(signal.SIGKILL)
    assert "answered" not in real_smsc.log.read_text()
    sleep(0.5)
    assert not Report.objects.exists()

    run_client()
    real_smsc.wait_for("answered")
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "delivered"
    assert (Report.objects.count(), DeliveryEvent.objects.count()) == (1, 1)


def test_when_the_smsc_is_restarted_the_client_comes_back(
    real_smsc: Process, run_client: Callable[[], Process], port: int, tmp_path: Path
) -> None:
    client = run_client()
    client.wait_for("bound to")
    real_smsc.end(signal.SIGKILL)
    client.wait_for("trying again")

    again = Process(tmp_path / "again.log", "-m", "tests.messaging.smpp.real_smsc", str(port))
    client.wait_for("bound to", times=2)
    again.end(signal.SIGKILL)


def test_a_burst_is_fast(real_smsc: Process, run_client: Callable[[], Process], send: Callable[[str], Message]) -> None:
    run_client().wait_for("bound to")

    began = monotonic()
    send("DELIVRD 000 3000")
    real_smsc.wait_for("answered")
    took = monotonic() - began

    print(f"3,000 receipts stored and answered in {took:.2f} s")
    assert Report.objects.count() == 3000
    # It takes a second; with a commit for each, on two cores that are busy, many.
    assert took < 10


def test_without_an_smsc_it_says_what_to_set(database_url: str, tmp_path: Path) -> None:
    process = Process(tmp_path / "client.log", "manage.py", "smpp", DATABASE_URL=database_url)

    assert process.running.wait(PATIENCE_SECONDS) == 1
    assert "Name one in SMPP_URLS: docs/providers/smpp.md" in process.log.read_text()
