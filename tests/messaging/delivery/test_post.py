"""Many mails over several connections, to servers good and bad: each once, none lost, none twice."""

import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from messaging.delivery.answers import MailAnswer
from messaging.delivery.email_routes import Direct, Relay
from messaging.delivery.transports.smtp_pipeline import MOST_CLOSINGS, Outgoing, Post
from tests.messaging.sendouts.scripted import Scripted, scripted

BODY = b"Subject: x\r\n\r\nHello\r\n"


def outgoing(*does: str) -> list[Outgoing]:
    return [
        Outgoing(number, 1, "a@engage.example", f"{what}+{number}@there.example", BODY)
        for number, what in enumerate(does)
    ]


def sent(found: Scripted, *does: str, connections: int = 4) -> list[MailAnswer]:
    """The answers, in the order of the mails."""
    with Post(Relay("127.0.0.1", found.port), "engage.example", connections=connections) as post:
        answers = {mail.message_id: answer for mail, answer in post.send_all(outgoing(*does))}
    return [answers[number] for number in range(len(does))]


@pytest.mark.parametrize("is_pipelining", [True, False])
def test_every_mail_arrives_once_over_as_many_connections_as_may_be(is_pipelining: bool) -> None:
    with scripted(is_pipelining=is_pipelining) as found:
        answers = sent(found, *["fine"] * 500, connections=3)

    assert {answer.reply for answer in answers} == {250}
    assert Counter(found.taken) == Counter(mail.recipient for mail in outgoing(*["fine"] * 500))
    assert found.most_at_once == len(found.talks) == 3
    assert all((talk.largest_group > 1) == is_pipelining for talk in found.talks)
    assert all(talk.commands[-1] == "QUIT" for talk in found.talks)


def test_few_mails_take_one_connection_which_is_used_again() -> None:
    with scripted() as found, Post(Relay("127.0.0.1", found.port), "engage.example") as post:
        for _ in range(3):
            assert [answer.reply for _mail, answer in post.send_all(outgoing("fine", "rcpt", "fine"))] == [
                250,
                550,
                250,
            ]

    assert len(found.talks) == 1


@pytest.mark.parametrize("drop", ["droprcpt", "dropdata"])
def test_a_line_that_dies_before_the_end_of_a_mail_puts_nobody_in_doubt(drop: str) -> None:
    does = [*["fine"] * 30, drop, *["fine"] * 30]
    with scripted() as found:
        answers = sent(found, *does)

    assert [answer.reply for answer in answers] == [0 if each == drop else 250 for each in does]
    assert not any(answer.is_outcome_unknown for answer in answers)
    assert max(Counter(found.ended).values()) == 1


def test_a_line_that_dies_after_the_end_of_a_mail_puts_that_one_in_doubt_and_the_others_are_sent_once() -> None:
    does = [*["fine"] * 30, "dropend", *["fine"] * 30, "dropend", *["fine"] * 5]
    with scripted() as found:
        answers = sent(found, *does, connections=2)

    assert [answer.is_outcome_unknown for answer in answers] == [each == "dropend" for each in does]
    assert {answer.reply for answer in answers if not answer.is_outcome_unknown} == {250}
    assert max(Counter(found.ended).values()) == 1


def test_a_server_that_says_nothing_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.delivery.transports.smtp_connection.VERDICT_SECONDS", 1)
    with scripted() as found:
        answers = sent(found, "fine", "silent", "fine", connections=1)

    assert [(answer.reply, answer.is_outcome_unknown) for answer in answers] == [(250, False), (0, True), (250, False)]
    assert "timed out" in answers[1].text


def test_a_slow_server_gets_all_there_is() -> None:
    with scripted(delay=0.02) as found:
        assert {answer.reply for answer in sent(found, *["fine"] * 60)} == {250}


def test_a_server_that_closes_at_every_mail_is_soon_left_alone() -> None:
    with scripted() as found:
        answers = sent(found, *["closing"] * 40, connections=1)

    assert {answer.reply for answer in answers} == {421}
    assert len(found.talks) == MOST_CLOSINGS


def test_a_server_that_wants_nobody_now_puts_everything_off() -> None:
    with scripted(greeting=b"421 4.7.0 too many connections\r\n") as found:
        answers = sent(found, *["fine"] * 40)

    assert {answer.reply for answer in answers} == {421}


def test_the_next_server_of_a_domain_takes_what_the_first_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted() as found:
        post = Post(Direct("", found.port), "engage.example", resolve=lambda _domain: ["127.0.0.2", "127.0.0.1"])
        with post:
            answers = [answer for _mail, answer in post.send_all(outgoing(*["fine"] * 30))]

    assert {(answer.reply, answer.said_by, answer.is_final) for answer in answers} == {(250, "127.0.0.1", True)}


class Takes:
    """Keeps envelopes, and whether each came over TLS and who had logged in."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, object]] = []

    async def handle_DATA(self, server: SMTP, session: Session, _envelope: Envelope) -> str:  # noqa: N802
        assert server.transport is not None
        self.seen.append((server.transport.get_extra_info("ssl_object") is not None, session.auth_data))
        return "250 taken"


@contextmanager
def guarded(
    ca: str, port: int, *, at_once: bool = False, with_tls: bool = True, with_login: bool = True
) -> Iterator[Controller]:
    """A server with TLS, which wants a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca)

    def check(_server: object, _session: object, _envelope: object, _mechanism: str, given: object) -> AuthResult:
        assert isinstance(given, LoginPassword)
        return AuthResult(success=given.password == b"secret", handled=False, auth_data=given.login.decode())

    login: dict[str, Any] = {"authenticator": check, "auth_required": True} if with_login else {}
    tls: dict[str, Any] = {"ssl_context": context} if at_once else {"tls_context": context} if with_tls else {}
    over_tls = at_once or with_tls
    server = Controller(
        Takes(), hostname="127.0.0.1", port=port, ready_timeout=20, auth_require_tls=over_tls and not at_once,
        **tls, **login,
    )  # fmt: skip
    server.start()
    try:
        yield server
    finally:
        server.stop()


def over(route: Relay | Direct) -> MailAnswer:
    with Post(route, "engage.example") as post:
        return post.send(outgoing("anna")[0])


@pytest.fixture
def trusted(ca: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    return ca


@pytest.mark.parametrize("at_once", [True, False])
def test_a_relay_is_logged_in_to_over_tls(trusted: str, port: int, at_once: bool) -> None:
    with guarded(trusted, port, at_once=at_once) as server:
        answer = over(Relay("127.0.0.1", port, "engage", "secret", at_once))

        assert answer.reply == 250
        assert server.handler.seen == [(True, "engage")]


def test_a_wrong_password_puts_off_and_says_nothing_about_the_address(trusted: str, port: int) -> None:
    with guarded(trusted, port):
        answer = over(Relay("127.0.0.1", port, "engage", "wrong"))

    assert (answer.reply, answer.text[:3]) == (421, "535")


def test_a_relay_whose_certificate_nobody_vouches_for_gets_nothing(ca: str, port: int) -> None:
    with guarded(ca, port) as server:
        answer = over(Relay("127.0.0.1", port, "engage", "secret"))

        assert (answer.reply, server.handler.seen) == (0, [])
    assert "CERTIFICATE_VERIFY_FAILED" in answer.text


def test_a_password_never_goes_in_the_clear_over_a_network(ca: str, port: int) -> None:
    with guarded(ca, port, with_tls=False) as server:
        # The address of no host in particular, which leads home all the same.
        answer = over(Relay("0.0.0.0", port, "engage", "secret"))

        assert server.handler.seen == []
    assert "STARTTLS" in answer.text


def test_a_strangers_server_gets_its_mail_encrypted_whoever_signed_its_certificate(ca: str, port: int) -> None:
    with guarded(ca, port, with_login=False) as server:
        answer = over(Direct("127.0.0.1", port))

        assert (answer.reply, server.handler.seen) == (250, [(True, None)])
