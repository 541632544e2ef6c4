"""Workers that are asked to end, die, are slow, or find no database: nobody gets two, and nothing is in doubt that need
not be."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Final

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection, connections
from django.utils import timezone
from pytest_django import Settings

from engage.local import run as running
from engage.local.bootstrap import BASE_DIR
from engage.local.embedded import Postgres
from messaging.delivery import dispatcher, heartbeat, worker_slots
from messaging.delivery.email_routes import Direct
from messaging.delivery.patience import insist
from messaging.models import Batch, DeliveryEvent, Installation, Message, SendOut
from messaging.tasks import hand_over
from tests.messaging.conftest import make_contact
from tests.messaging.processes import wait_for
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.receiver import receiver
from tests.messaging.sendouts.scripted import Scripted, scripted

pytestmark = pytest.mark.django_db(transaction=True)


def sent_to(people: int) -> SendOut:
    for number in range(people):
        make_contact(email=f"p{number}@there.example")
    made = make_send_out(sender="news@engage.example", sender_name="Engage")
    run(made)
    return made


@contextmanager
def worker(log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """As systemd runs it: its processes are a group of their own."""
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [sys.executable, *running.worker()], cwd=BASE_DIR, env=os.environ | environment, stdout=said, stderr=said,
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_with_all_its_children_a_worker_leaves_nothing_in_doubt(
    number: signal.Signals, database_url: str, tmp_path: Path
) -> None:
    cache.clear()
    # So many that no machine is slow enough to notice too late that some have left.
    send_out = sent_to(500)
    with scripted(delay=0.02) as server:
        route = {"EMAIL_ROUTE": f"mx://127.0.0.1:{server.port}", "EMAIL_CONNECTIONS": "1"}
        with worker(tmp_path / "worker.log", DATABASE_URL=database_url, **route) as process:
            hand_over.delay(send_out.pk)
            wait_for(lambda: len(server.ended) > 5)
            os.killpg(process.pid, number)
            process.wait(60)

    tried = Message.objects.filter(attempts__gt=0)
    assert 0 < tried.count() < 500
    assert {each.status for each in tried} == {"delivered"}
    assert sorted(server.ended) == sorted(tried.values_list("address__value", flat=True))
    assert Batch.objects.get().claimed_at is None  # the next worker goes on at once


def test_a_worker_that_is_killed_is_found_out_within_a_minute() -> None:
    assert heartbeat.SILENT_AFTER + timedelta(seconds=3 * heartbeat.BEAT_SECONDS) < timedelta(minutes=1)
    assert worker_slots.KEPT_SECONDS < 60


def test_a_slow_server_does_not_cost_a_living_worker_its_batch(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    go_on = Event()
    send_out = sent_to(3)
    with scripted(gate=go_on) as server:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", server.port)
        thread = Thread(target=_hand_over, args=(send_out.pk,))
        thread.start()
        wait_for(lambda: Message.objects.filter(attempts=1).count() == 3)
        Batch.objects.update(claimed_at=long_ago())
        wait_for(lambda: not Batch.objects.filter(claimed_at=long_ago()).exists())

        assert not dispatcher.hand_over(send_out.pk)
        assert not DeliveryEvent.objects.exists()
        go_on.set()
        thread.join()

    assert {each.status for each in Message.objects.all()} == {"delivered"}
    assert len(server.ended) == 3


def long_ago() -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC)


def _hand_over(send_out_id: int) -> None:
    try:
        dispatcher.hand_over(send_out_id)
    finally:
        connections.close_all()


def test_silence_means_nothing_right_after_the_database_was_away(settings: Settings) -> None:
    send_out = sent_to(3)
    with receiver() as found:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        dispatcher.hand_over(send_out.pk, seconds=0)
        Batch.objects.update(claimed_at=timezone.now() - timedelta(minutes=5), done_at=None)
        Installation.objects.update(marked_at=timezone.now() - timedelta(minutes=5))
        assert not dispatcher.hand_over(send_out.pk)

        Installation.objects.update(whole_since=timezone.now() - heartbeat.SILENT_AFTER)
        assert dispatcher.hand_over(send_out.pk, seconds=0)


def test_who_comes_back_after_another_has_taken_its_batch_up_leaves_it_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that stood still for a minute, say."""
    send_out = sent_to(80)
    send, others = dispatcher._send, list[int]()

    def sending(*arguments: object) -> None:
        send(*arguments)  # type: ignore[arg-type]
        if not others:
            Batch.objects.update(claimed_at=long_ago())
            others.append(1)
            dispatcher.hand_over(send_out.pk)

    with receiver() as found:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        monkeypatch.setattr(dispatcher, "_send", sending)
        dispatcher.hand_over(send_out.pk)

    recipients = [each.rcpt_tos[0] for each in found.taken]
    assert len(recipients) == len(set(recipients)) == 80


def test_what_happened_is_written_down_once_the_database_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    tries = list[int]()

    def write() -> str:
        tries.append(1)
        if len(tries) < 4:
            raise OperationalError("the database system is starting up")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'written'")
            return str(cursor.fetchone()[0])

    assert insist(write) == "written"
    assert len(tries) == 4


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with room for a socket in its path: so PostgreSQL is at the same place after it was away."""
    with tempfile.TemporaryDirectory(prefix="engage-") as folder:
        yield Path(folder)


MAKE: Final = """
import django
django.setup()
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.conftest import make_contact
for number in range(300):
    make_contact(email=f"p{number}@there.example")
made = make_send_out(sender="news@engage.example", sender_name="Engage")
run(made)
print(made.pk)
"""
# As a worker does: a turn that fails is over, and the next one comes.
HAND_OVER: Final = """
import time, sys
import django
django.setup()
from django.db import Error, close_old_connections
from messaging.delivery import dispatcher
is_more = True
while is_more:
    close_old_connections()
    try:
        is_more = dispatcher.hand_over(int(sys.argv[1]), 30)
    except Error as error:
        print("turn over", type(error).__name__, flush=True)
        time.sleep(0.2)
"""


def test_a_database_that_goes_down_in_the_middle_leaves_nothing_in_doubt_and_nobody_gets_two(short: Path) -> None:
    postgres = Postgres(short)
    given = os.environ["DATABASE_URL"]
    try:
        postgres.start()
        with scripted(delay=0.01) as server:
            there = {
                "DATABASE_URL": os.environ["DATABASE_URL"], "VAR_DIR": str(short), "EMAIL_CONNECTIONS": "1",
                "EMAIL_ROUTE": f"mx://127.0.0.1:{server.port}", "DJANGO_SETTINGS_MODULE": "engage.settings",
            }  # fmt: skip
            told([sys.executable, "manage.py", "migrate", "--no-input", "-v0"], there)
            pk = told([sys.executable, "-c", MAKE], there).strip()
            log = short / "worker.log"
            with log.open("wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-c", HAND_OVER, pk],
                    cwd=BASE_DIR,
                    env=os.environ | there,
                    stdout=said,
                    stderr=said,
                )
            for times, mails in enumerate((20, 150), 1):
                wait_for(lambda mails=mails: len(server.ended) > mails)  # type: ignore[misc]
                postgres.stop()
                wait_for(lambda times=times: log.read_text().count("(OperationalError)") >= times)  # type: ignore[misc]
                postgres.start()
            wait_for(lambda: process.poll() is not None, seconds=60)
            assert process.poll() == 0, log.read_text()
            with running.connect(there["DATABASE_URL"]) as line:
                statuses = line.execute("SELECT status, count(*) FROM messaging_message GROUP BY 1").fetchall()
                in_doubt = line.execute("SELECT count(*) FROM messaging_deliveryevent WHERE caveat <> ''").fetchone()
    finally:
        os.environ["DATABASE_URL"] = given
        postgres.stop()

    assert (statuses, in_doubt) == ([("delivered", 300)], (0,)), log.read_text()
    assert_each_once(server, 300)


def assert_each_once(server: Scripted, people: int) -> None:
    assert len(server.ended) == len(set(server.ended)) == people


def told(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=BASE_DIR, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
