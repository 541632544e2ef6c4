"""Sessions that would take the room of the others, against the server in this process."""

import asyncio
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from messaging.inbox.writer import ReportWriter
from messaging.incoming import server
from messaging.incoming.addresses import return_path
from messaging.incoming.clerk import Clerk
from messaging.incoming.listeners import Listener
from messaging.models import Report
from tests.messaging.incoming.letters import letter

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def served(port: int) -> Iterator[None]:
    clerk, is_up = Clerk(ReportWriter("test")), Event()

    async def serve() -> None:
        bounces = server.BounceServer(clerk, "mx.example.org", 100_000)
        await bounces.start([Listener("smtp", "127.0.0.1", port)])
        is_up.set()
        await asyncio.to_thread(stop.wait)
        await bounces.stop()

    stop = Event()
    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert is_up.wait(20)
    yield
    stop.set()
    thread.join(30)
    clerk.close()
    assert not thread.is_alive()


def test_who_is_too_slow_is_sent_away(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.3)
    with served(port), smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        client.mail("")
        client.rcpt(return_path(1))
        client.docmd("DATA")
        client.send(b"Subject: half a mail\r\n")

        assert client.getreply() == (421, b"4.4.2 You took too long")
        client.close()
    assert not Report.objects.exists()


def test_too_many_connections_are_told_to_come_later(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    with served(port):
        first, second = (smtplib.SMTP("127.0.0.1", port, timeout=20) for _ in range(2))
        with pytest.raises(smtplib.SMTPConnectError) as turned_away:
            smtplib.SMTP("127.0.0.1", port, timeout=20)
        first.quit()

        second.sendmail("", [return_path(1)], letter("spam"))
        smtplib.SMTP("127.0.0.1", port, timeout=20).quit()
        second.quit()
    assert turned_away.value.smtp_code == 421
    assert Report.objects.count() == 1


def test_too_many_recipients_are_to_come_in_a_further_mail(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_RECIPIENTS", 2)
    with served(port), smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        client.mail("")

        assert [client.rcpt(return_path(number))[0] for number in (1, 2, 3)] == [250, 250, 452]
