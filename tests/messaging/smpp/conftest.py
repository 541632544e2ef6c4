"""SMSCs, and clients of ours that are bound to them."""

import signal
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from messaging.incoming import reconnect
from messaging.smpp import keeper
from messaging.smpp.connections import Connection
from tests.messaging.processes import Process
from tests.messaging.smpp.fake_smsc import FakeSmsc

Start = Callable[..., Thread]


@pytest.fixture
def smsc() -> Iterator[FakeSmsc]:
    smsc = FakeSmsc()
    yield smsc
    smsc.close()


@pytest.fixture
def real_smsc(port: int, tmp_path: Path) -> Iterator[Process]:
    """The server of another project, in a process of its own."""
    process = Process(tmp_path / "smsc.log", "-m", "tests.messaging.smpp.real_smsc", str(port))
    process.wait_for("listening")
    yield process
    process.end(signal.SIGKILL)


@pytest.fixture
def stop() -> Event:
    return Event()


@pytest.fixture
def start(smsc: FakeSmsc, stop: Event, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Our client in a thread of this process, bound to the fake SMSC and quick to come back."""
    monkeypatch.setattr(reconnect, "FIRST_WAIT_SECONDS", 0.05)
    threads: list[Thread] = []

    def start(**fields: object) -> Thread:
        known = {"name": "telia", "host": "127.0.0.1", "port": smsc.port, "user": "engage", "password": "s3cret"}
        threads.extend(keeper.keep_all_bound([Connection(**known | fields)], stop))  # type: ignore[arg-type]
        return threads[-1]

    yield start
    stop.set()
    smsc.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def smpps(ca: str) -> Iterator[FakeSmsc]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca)
    smsc = FakeSmsc(context)
    yield smsc
    smsc.close()
