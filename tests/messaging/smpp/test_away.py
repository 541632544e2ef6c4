"""While no connection is bound over which SMS could leave, that way out is away; and it is there again with a bind."""

import logging
import signal
from pathlib import Path
from threading import Event

import pytest

from messaging.incoming import reconnect
from messaging.monitoring import alarms
from messaging.smpp import keeper
from messaging.smpp.connections import Connection
from tests.messaging.processes import Process, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "FIRST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(reconnect, "LONGEST_WAIT_SECONDS", 0.2)


def causes() -> list[str]:
    return [alarm.cause for alarm in alarms.away()]


@pytest.mark.parametrize(
    ("host", "is_encrypted", "cause"),
    [
        ("127.0.0.1", False, "unreachable"),
        ("127.0.0.1", True, "unreachable"),
        ("smsc.exmaple.invalid", False, "unresolved"),
    ],
)
def test_an_smsc_that_cannot_be_found_or_reached_is_away(
    host: str, is_encrypted: bool, cause: str, port: int, stop: Event
) -> None:
    known = Connection("telia", host, port, "engage", "s3cret", is_encrypted=is_encrypted)
    (thread,) = keeper.keep_all_bound([known], stop, lambda _name: True)
    wait_for(lambda: bool(causes()))
    stop.set()
    thread.join(20)

    assert causes() == [cause]
    assert "s3cret" not in alarms.away()[0].detail


def test_it_ends_with_a_bind_and_one_bound_connection_is_enough(port: int, stop: Event, tmp_path: Path) -> None:
    known = Connection("telia", "127.0.0.1", port, "engage", "s3cret")
    threads = keeper.keep_all_bound([known], stop, lambda _name: True)
    wait_for(lambda: bool(causes()))
    process = Process(tmp_path / "smsc.log", "-m", "tests.messaging.smpp.real_smsc", str(port))
    try:
        wait_for(lambda: not causes())
        assert causes() == []
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
        process.end(signal.SIGKILL)


def test_a_connection_that_only_takes_receipts_is_no_way_out(
    port: int, stop: Event, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "messaging.incoming.reconnect")
    (thread,) = keeper.keep_all_bound([Connection("telia", "127.0.0.1", port, "engage", "s3cret")], stop)
    wait_for(lambda: "trying again" in caplog.text)
    stop.set()
    thread.join(20)

    assert causes() == []
