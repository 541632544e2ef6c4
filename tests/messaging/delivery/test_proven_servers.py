"""What an MTA-STS policy demands is asked of a real mail server with a real certificate."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from messaging.delivery.answers import MailAnswer
from messaging.delivery.email_routes import Direct
from messaging.delivery.transports.mta_sts import Policy
from messaging.delivery.transports.smtp_pipeline import Outgoing, Post
from tests.messaging.delivery.test_mta_sts import certificate_for
from tests.messaging.sendouts.receiver import Receiver

ENFORCED = Policy("1", "enforce", ("localhost",), 1e12)
TESTING = Policy("1", "testing", ("localhost",), 1e12)


class Server:
    """Takes everything; offers STARTTLS where it has a certificate."""

    def __init__(self, certificate: str | None, port: int) -> None:
        self.receiver, self.were_encrypted = Receiver(), list[bool]()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if context is not None:
            context.load_cert_chain(str(certificate))
        server = self

        class Noting(Receiver):
            async def handle_DATA(self, smtp: Any, session: Any, envelope: Any) -> str:  # noqa: N802
                server.were_encrypted.append(session.ssl is not None)
                return await super().handle_DATA(smtp, session, envelope)

        self.controller = Controller(Noting(), hostname="127.0.0.1", port=port, tls_context=context, ready_timeout=20)
        self.controller.start()


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    return certificate_for("localhost", tmp_path)


@pytest.fixture
def server(certificate: str, port: int) -> Iterator[Server]:
    found = Server(certificate, port)
    yield found
    found.controller.stop()


def sent(
    server: Server, policies: dict[str, Policy | None], hosts: tuple[str, ...] = ("localhost",)
) -> list[MailAnswer]:
    """One mail to each of the domains, one after the other."""
    mail = b"Subject: Hi\r\n\r\nHi\r\n"
    with Post(
        Direct(port=server.controller.port), "engage.example", resolve=lambda _: [*hosts], policy_of=policies.get
    ) as post:
        return [
            post.send(Outgoing(number, 1, "news@engage.example", f"anna@{domain}", mail))
            for number, domain in enumerate(policies)
        ]


def test_an_enforced_policy_is_met_by_a_server_that_proves_who_it_is(
    server: Server, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate)

    assert [each.reply for each in sent(server, {"there.example": ENFORCED})] == [250]
    assert server.were_encrypted == [True]


def test_mail_waits_where_nobody_vouches_for_the_certificate(server: Server) -> None:
    (answer,) = sent(server, {"there.example": ENFORCED})

    assert (answer.reply, server.were_encrypted) == (0, [])
    assert "certificate" in answer.text.lower()


def test_mail_waits_where_there_is_no_encryption(port: int) -> None:
    server = Server(None, port)
    (answer,) = sent(server, {"there.example": ENFORCED})
    server.controller.stop()

    assert (answer.reply, server.were_encrypted) == (0, [])
    assert "TLS required" in answer.text


def test_mail_waits_where_the_policy_names_other_servers(server: Server) -> None:
    other = Policy("1", "enforce", ("mx.there.example",), 1e12)
    (answer,) = sent(server, {"there.example": other})

    assert (answer.reply, server.were_encrypted) == (0, [])
    assert "allows none of its servers" in answer.text


def test_a_policy_that_is_tested_holds_nothing_back_and_is_written_down(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    tested = Policy("1", "testing", ("mx.there.example",), 1e12)

    assert [each.reply for each in sent(server, {"a.example": TESTING, "b.example": tested})] == [250, 250]
    assert "The MTA-STS policy of b.example, which is being tested, does not allow localhost." in caplog.text


def test_a_line_that_proved_nothing_is_not_used_for_who_demands_proof(server: Server) -> None:
    answers = sent(server, {"free.example": None, "strict.example": ENFORCED})

    assert [each.reply for each in answers] == [250, 0]
