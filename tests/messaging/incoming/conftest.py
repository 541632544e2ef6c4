"""A bounce server of ours in a process of its own, and who speaks to it."""

import signal
import smtplib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import LazySettings

from tests.messaging.incoming.letters import DOMAIN
from tests.messaging.processes import Process

Run = Callable[..., Process]


@pytest.fixture(autouse=True)
def bounce_domain(settings: LazySettings) -> str:
    settings.BOUNCE_DOMAIN = DOMAIN
    return DOMAIN


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Iterator[Run]:
    """Starts a command of manage.py as a process."""
    started: list[Process] = []

    def run(*command: str, **environment: str) -> Process:
        surroundings = {"DATABASE_URL": database_url, "BOUNCE_DOMAIN": DOMAIN} | environment
        started.append(Process(tmp_path / f"process-{len(started)}.log", "manage.py", *command, **surroundings))
        return started[-1]

    yield run
    for each in started:
        if each.running.poll() is None:
            each.end(signal.SIGKILL)


@pytest.fixture
def serve(run: Run, port: int) -> Callable[..., Process]:
    """Starts the bounce server on `port`."""

    def serve(protocol: str = "smtp", **environment: str) -> Process:
        server = run("bounce_server", BOUNCE_LISTEN=f"{protocol}://127.0.0.1:{port}", **environment)
        server.wait_for("Bounce mail is taken at")
        return server

    return serve


@pytest.fixture
def connect(port: int) -> Iterator[Callable[..., smtplib.SMTP]]:
    clients: list[smtplib.SMTP] = []

    def connect(kind: type[smtplib.SMTP] = smtplib.SMTP) -> smtplib.SMTP:
        clients.append(kind("127.0.0.1", port, timeout=20))
        return clients[-1]

    yield connect
    for each in clients:
        with suppress(OSError, smtplib.SMTPException):
            each.close()
