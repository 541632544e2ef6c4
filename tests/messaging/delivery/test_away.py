"""A relay, provider, gateway or network of ours that is away: nothing is handed over, put off or held against anybody;
everybody reads why; and all of it leaves once, by itself, when that is mended. Real sockets, real TLS."""

import errno
import logging
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from contacts.models import Block, Channel
from messaging.delivery import dispatcher
from messaging.delivery.away import ADVICE, AwayCause, has_no_network
from messaging.delivery.email_routes import Direct, Esp, Relay, Route, route_of
from messaging.delivery.transports import smtp, smtp_opening
from messaging.delivery.transports.mx import NoServerError
from messaging.models import Alarm, DeliveryEvent, Message, SendOut
from messaging.monitoring import alarms
from messaging.providers.http_route import HttpRoute
from messaging.sendouts import lifecycle, single
from messaging.tasks import watch_providers
from tests.factories import log_in, make_user
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.esp_server import provider
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.receiver import receiver
from tests.messaging.sendouts.scripted import scripted

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 12


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_REACHED_AT", {})
    monkeypatch.setattr(smtp, "_SLICES", {})
    monkeypatch.setattr(smtp_opening, "CONNECT_SECONDS", 1)


def started(channel: Channel = Channel.EMAIL, count: int = PEOPLE) -> SendOut:
    """To so many people at as many domains."""
    for number in range(count):
        make_contact(email=f"p{number}@d{number}.example")
    made = make_send_out(channel, sender="news@engage.example" if channel == Channel.EMAIL else "Engage")
    run(made)
    return made


def handed_over(send_out: SendOut) -> None:
    while dispatcher.hand_over(send_out.pk):
        pass


def nothing_happened(send_out: SendOut) -> bool:
    """To any message or address."""
    shown = Message.objects.filter(send_out=send_out).values_list("status", "attempts", "sent_at").distinct()
    return list(shown) == [("waiting", 0, None)] and not (DeliveryEvent.objects.exists() or Block.objects.exists())


def cause() -> str:
    return Alarm.objects.get(kind="away", ended_at=None).cause


def state_of(send_out: SendOut) -> str:
    return SendOut.objects.get(pk=send_out.pk).state


def made_certificate(folder: Path, name: str = "127.0.0.1", days: int = 1) -> str:
    """For a name or an address that nobody else has signed; expired where `days` is negative. With its key."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, is_name = datetime.now(UTC), any(sign.isalpha() for sign in name)
    known = x509.DNSName(name) if is_name else x509.IPAddress(ip_address(name))
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
    signed = made.add_extension(x509.SubjectAlternativeName([known]), critical=True).sign(key, hashes.SHA256())
    pem, path = serialization.Encoding.PEM, folder / f"{name}{days}.pem"
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + signed.public_bytes(pem))
    return str(path)


class Taker:
    """Counts by recipient what it took."""

    def __init__(self) -> None:
        self.taken = Counter[str]()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken.update(envelope.rcpt_tos)
        return "250 taken"


@contextmanager
def relay(port: int, *, certificate: str = "", at_once: bool = False, password: str = "") -> Iterator[Taker]:
    """With TLS where there is a certificate; with AUTH where there is a password."""
    found, context = Taker(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        context.load_cert_chain(certificate)

    def check(_server: object, _session: object, _envelope: object, _mechanism: str, given: object) -> AuthResult:
        assert isinstance(given, LoginPassword)
        return AuthResult(success=given.password.decode() == password, handled=False)

    server = Controller(
        found, hostname="127.0.0.1", port=port, ready_timeout=20,
        ssl_context=context if certificate and at_once else None,
        tls_context=context if certificate and not at_once else None,
        authenticator=check if password else None, auth_required=bool(password),
        auth_require_tls=bool(certificate) and not at_once,
    )  # fmt: skip
    server.start()
    try:
        yield found
    finally:
        server.stop()


@contextmanager
def saying(port: int, *lines: bytes) -> Iterator[None]:
    """A server of which each connection gets these answers, one for each line that it hears, the first unasked."""

    def serve(sock: socket.socket) -> None:
        with sock:
            sock.sendall(lines[0])
            for line in lines[1:]:
                if not sock.recv(4096):
                    return
                sock.sendall(line)

    with socket.create_server(("127.0.0.1", port)) as listening:

        def listen() -> None:
            while True:
                try:
                    sock, _peer = listening.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)


@contextmanager
def silent(port: int) -> Iterator[None]:
    """It takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", port), backlog=128):
        yield


@contextmanager
def nobody(port: int) -> Iterator[None]:
    yield


EHLO = b"250-here\r\n250 AUTH PLAIN LOGIN\r\n"
Wrong = Callable[[int, Path], AbstractContextManager[object]]
WRONG: dict[str, tuple[str, Wrong, AwayCause]] = {
    "no such name": ("smtp://relay.exmaple.invalid:{port}", lambda port, _: nobody(port), AwayCause.UNRESOLVED),
    "a name that is none": (f"smtp://{'x' * 70}.example:{{port}}", lambda port, _: nobody(port), AwayCause.UNRESOLVED),
    "refused": ("smtp://127.0.0.1:{port}", lambda port, _: nobody(port), AwayCause.UNREACHABLE),
    "silent": ("smtp://127.0.0.1:{port}", lambda port, _: silent(port), AwayCause.UNREACHABLE),
    "silent in TLS": ("smtps://127.0.0.1:{port}", lambda port, _: silent(port), AwayCause.UNREACHABLE),
    "hangs up": ("smtp://127.0.0.1:{port}", lambda port, _: saying(port, b""), AwayCause.UNREACHABLE),
    "hangs up at MAIL FROM": (
        "smtp://127.0.0.1:{port}", lambda port, _: saying(port, b"220 x\r\n", EHLO), AwayCause.BROKEN_OFF,
    ),
    "421 greeting": (
        "smtp://127.0.0.1:{port}", lambda port, _: saying(port, b"421 4.3.2 too busy\r\n"), AwayCause.UNWILLING,
    ),
    "554 greeting": (
        "smtp://127.0.0.1:{port}", lambda port, _: saying(port, b"554 5.7.1 No such user here\r\n"), AwayCause.UNWILLING,
    ),
    "refuses EHLO": (
        "smtp://127.0.0.1:{port}",
        lambda port, _: saying(port, b"220 x\r\n", b"550 5.1.1 User unknown\r\n", b"550 5.1.1 User unknown\r\n"),
        AwayCause.UNWILLING,
    ),
    "no STARTTLS": (
        # The address of no host in particular, which leads home all the same.
        "smtp://engage:s3cret@0.0.0.0:{port}", lambda port, _: relay(port, password="s3cret"), AwayCause.NO_TLS,
    ),
    "STARTTLS refused": (
        "smtp://127.0.0.1:{port}",
        lambda port, _: saying(port, b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 4.7.0 not available\r\n"),
        AwayCause.NO_TLS,
    ),
    "no TLS behind smtps": ("smtps://127.0.0.1:{port}", lambda port, _: relay(port), AwayCause.NO_TLS),
    "untrusted": (
        "smtp://127.0.0.1:{port}",
        lambda port, folder: relay(port, certificate=made_certificate(folder)), AwayCause.UNTRUSTED,
    ),
    "untrusted at once": (
        "smtps://127.0.0.1:{port}",
        lambda port, folder: relay(port, certificate=made_certificate(folder), at_once=True), AwayCause.UNTRUSTED,
    ),
    "no AUTH": (
        "smtp://engage:s3cret@127.0.0.1:{port}",
        lambda port, _: saying(port, b"220 x\r\n", b"250-x\r\n250 HELP\r\n"), AwayCause.NO_LOGIN,
    ),
    "no AUTH that we know": (
        "smtp://engage:s3cret@127.0.0.1:{port}",
        lambda port, _: saying(port, b"220 x\r\n", b"250-x\r\n250 AUTH GSSAPI\r\n"), AwayCause.NO_LOGIN,
    ),
    "wants a log-in": (
        "smtp://127.0.0.1:{port}", lambda port, _: relay(port, password="s3cret"), AwayCause.LOGIN,
    ),
    "another password": (
        "smtp://engage:wrong@127.0.0.1:{port}", lambda port, _: relay(port, password="s3cret"), AwayCause.LOGIN,
    ),
    "log-in is out of order": (
        "smtp://engage:s3cret@127.0.0.1:{port}",
        lambda port, _: saying(port, b"220 x\r\n", EHLO, b"454 4.7.0 later\r\n", b"454 4.7.0 later\r\n"),
        AwayCause.UNWILLING,
    ),
    "may not relay": (
        "smtp://127.0.0.1:{port}",
        lambda port, _: saying(
            port, b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"554 5.7.1 <p0@d0.example>: Relay access denied\r\n"
        ),
        AwayCause.LOGIN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_relay_that_is_away_gets_nothing_and_nobody_is_judged_and_once_it_is_there_each_gets_it_once(
    name: str, settings: Settings, port: int, tmp_path: Path
) -> None:
    url, wrong, expected = WRONG[name]
    settings.EMAIL_ROUTE = route_of(url.format(port=port))
    send_out = started()
    with wrong(port, tmp_path):
        handed_over(send_out)
        dispatcher.try_again()

        assert nothing_happened(send_out)
        assert cause() == expected
        assert state_of(send_out) == ("paused" if expected == AwayCause.LOGIN else "sending")

    settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
    Alarm.objects.update(next_try_at=timezone.now())
    with relay(port) as found:
        dispatcher.try_again()
        handed_over(send_out)
    assert found.taken == Counter(f"p{number}@d{number}.example" for number in range(PEOPLE))
    assert state_of(send_out) == "sending"
    assert not alarms.away()
    assert lifecycle.finish(send_out.pk)


@pytest.mark.parametrize(("name", "days"), [("127.0.0.1", -1), ("other.example", 1)])
def test_a_certificate_that_expired_or_is_somebody_elses_is_not_trusted_though_we_know_who_signed_it(
    name: str, days: int, settings: Settings, port: int, tmp_path: Path
) -> None:
    certificate = made_certificate(tmp_path, name, days)
    settings.EMAIL_ROUTE = route_of(f"smtp://127.0.0.1:{port}?ca={certificate}")
    send_out = started()
    with relay(port, certificate=certificate):
        handed_over(send_out)

    assert nothing_happened(send_out)
    assert cause() == "untrusted"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_an_authority_of_ones_own_is_named_in_the_route(
    scheme: str, settings: Settings, port: int, tmp_path: Path
) -> None:
    certificate = made_certificate(tmp_path)
    settings.EMAIL_ROUTE = route_of(f"{scheme}://127.0.0.1:{port}?ca={certificate}")
    with relay(port, certificate=certificate, at_once=scheme == "smtps") as found:
        handed_over(started(count=1))

    assert found.taken == {"p0@d0.example": 1}


@pytest.mark.parametrize("query", ["ca=/no/such/file.pem", "ca=", "ca=x&y=z", "verify=no"])
def test_an_authority_that_is_not_there_stops_the_start(query: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_ROUTE"):
        route_of(f"smtp://127.0.0.1:25?{query}")


def test_the_alarm_says_since_when_and_why_to_the_log_and_to_prometheus_and_ends(
    settings: Settings, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "messaging.monitoring.alarms")
    settings.EMAIL_ROUTE = Relay("relay.exmaple.invalid", port)
    send_out = started()
    for _ in range(3):
        handed_over(send_out)
        watch_providers()
        Alarm.objects.update(next_try_at=timezone.now())

    settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
    with relay(port):
        handed_over(send_out)
    watch_providers()
    alarm = Alarm.objects.get()
    assert alarm.tries == 3
    assert alarm.ended_at is not None
    assert [record.message.partition(": ")[0] for record in caplog.records] == ["Alarm", "Alarm over"]
    assert "relay.exmaple.invalid" in caplog.records[0].message


def test_the_distance_between_two_tries_grows_up_to_a_minute() -> None:
    seen = []
    for _ in range(8):
        alarms.begin_away("relay", AwayCause.UNREACHABLE, "x")
        seen.append(round(alarms.next_try("relay") or 0))
        Alarm.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))

    assert seen == [0, 5, 10, 20, 40, 60, 60, 60]


def test_several_who_find_it_away_at_once_count_once_and_others_do_not_try(settings: Settings, port: int) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
    first, second = started(count=2), started(count=2)
    handed_over(first)
    handed_over(second)
    assert Alarm.objects.get().tries == 2

    handed_over(first)
    dispatcher.try_again()
    assert Alarm.objects.get().tries == 2


def test_an_alarm_ends_where_nothing_waits_or_the_way_out_is_another(settings: Settings, port: int) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
    send_out = started()
    handed_over(send_out)
    SendOut.objects.filter(pk=send_out.pk).update(state="cancelled")
    dispatcher.try_again()
    assert not alarms.away()

    handed_over(started())
    settings.EMAIL_ROUTE = None
    dispatcher.try_again()
    assert not alarms.away()


def test_what_a_person_paused_does_not_go_on_by_itself(settings: Settings, port: int) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
    mine, other = started(), started(count=3)
    handed_over(mine)
    lifecycle.pause(mine.pk, None)
    with relay(port):
        handed_over(other)

    assert (state_of(mine), alarms.away()) == ("paused", [])


def test_a_refused_log_in_is_asked_again_with_one_message_and_not_with_a_slice(settings: Settings, port: int) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", port, "engage", "wrong")
    send_out = started()
    with relay(port, password="s3cret"):
        handed_over(send_out)
        Alarm.objects.update(next_try_at=timezone.now())
        dispatcher.try_again()
        assert (nothing_happened(send_out), state_of(send_out)) == (True, "paused")

    (change,) = send_out.changes.filter(kind="paused")
    assert "535" in change.detail
    assert "wrong" not in change.detail + Alarm.objects.get().detail


def test_what_belongs_to_one_message_is_not_taken_for_the_relay(settings: Settings) -> None:
    with scripted() as found:
        settings.EMAIL_ROUTE = Relay("127.0.0.1", found.port)
        for name in ("fine", "droprcpt", "fine+2"):
            make_contact(email=f"{name}@there.example")
        send_out = make_send_out(sender="news@engage.example")
        run(send_out)
        handed_over(send_out)

    shown = dict(Message.objects.values_list("address__value", "status"))
    assert shown == {
        "fine@there.example": "unknown", "fine+2@there.example": "unknown", "droprcpt@there.example": "deferred",
    }  # fmt: skip
    assert not alarms.away()


@pytest.mark.parametrize(("answer", "state"), [(b"550 5.1.1 user unknown", "paused"), (b"451 4.3.0 no", "sending")])
def test_a_relay_that_refuses_the_sender_says_nothing_about_the_recipients(
    answer: bytes, state: str, settings: Settings, port: int
) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
    send_out = started()
    with saying(port, b"220 x\r\n", b"250 x\r\n", answer + b"\r\n"):
        handed_over(send_out)

    assert (nothing_happened(send_out), state_of(send_out)) == (True, state)


def test_a_stranger_that_refuses_the_sender_is_never_a_hard_bounce(settings: Settings, port: int) -> None:
    settings.EMAIL_ROUTE = Direct("127.0.0.1", port)
    send_out = started(count=1)
    with saying(port, b"220 x\r\n", b"250 x\r\n", b"550 5.1.1 user unknown\r\n"):
        handed_over(send_out)

    message = Message.objects.get(send_out=send_out)
    assert (message.status, message.reason, Block.objects.count()) == ("soft_bounce", "sender_rejected", 0)


def test_words_of_our_own_about_an_address_are_no_servers(settings: Settings) -> None:
    with scripted(is_pipelining=False) as found:  # it has no SMTPUTF8, either
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        make_contact(email="åsa@there.example")
        send_out = make_send_out(sender="news@engage.example")
        run(send_out)
        handed_over(send_out)

    message = Message.objects.get(send_out=send_out)
    assert (message.status, message.reason, message.events.get().reply_code) == ("soft_bounce", "protocol_error", "")


# Directly to the receiving domains.


def directly(monkeypatch: pytest.MonkeyPatch, settings: Settings, resolve: Callable[[str], list[str]]) -> None:
    settings.EMAIL_ROUTE = Direct()
    monkeypatch.setattr("messaging.delivery.transports.smtp_pipeline.servers_of", resolve)
    monkeypatch.setattr("messaging.delivery.transports.smtp_pipeline._policy_of", lambda _domain: None)


def no_server(reply: int, text: str) -> Callable[[str], list[str]]:
    def resolve(_domain: str) -> list[str]:
        raise NoServerError(reply, text)

    return resolve


@pytest.mark.parametrize(
    "resolve",
    [
        no_server(0, "4.4.3 DNS lookup failed: LifetimeTimeout"),
        no_server(0, "4.4.3 DNS lookup failed: NoNameservers"),
        no_server(550, "550 5.1.2 Domain not found (NXDOMAIN)"),
        lambda _domain: ["mx.exmaple.invalid"],
    ],
)
def test_where_no_domain_can_be_looked_up_or_reached_it_is_our_own_network(
    resolve: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    directly(monkeypatch, settings, resolve)
    send_out = started()
    handed_over(send_out)
    assert (nothing_happened(send_out), cause()) == (True, "nobody")

    with receiver() as found:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        Alarm.objects.update(next_try_at=timezone.now())
        dispatcher.try_again()
    assert Counter(each.rcpt_tos[0] for each in found.taken) == Counter(f"p{n}@d{n}.example" for n in range(PEOPLE))


def test_a_target_that_does_not_resolve_is_its_domains_fault_while_others_are_reached(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with receiver() as found:
        directly(
            monkeypatch, settings,
            lambda domain: ["mx.exmaple.invalid"] if domain in ("d0.example", "d1.example") else ["127.0.0.1"],
        )  # fmt: skip
        settings.EMAIL_ROUTE = Direct("", found.port)
        send_out = started()
        handed_over(send_out)

    shown = Counter(Message.objects.filter(send_out=send_out).values_list("status", "reason"))
    assert shown == {("deferred", "network"): 2, ("delivered", ""): PEOPLE - 2}
    assert (Block.objects.count(), alarms.away()) == (0, [])


def test_without_any_network_even_one_domain_is_enough(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def no_way(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    directly(monkeypatch, settings, lambda _domain: ["127.0.0.1"])
    monkeypatch.setattr("messaging.delivery.transports.smtp_opening.has_no_network", lambda _error: True)
    monkeypatch.setattr("messaging.delivery.transports.smtp_opening._connected", lambda *_, **__: no_way())
    send_out = started(count=1)
    handed_over(send_out)

    assert (nothing_happened(send_out), cause()) == (True, "nobody")


def test_a_refused_connection_is_no_lack_of_network() -> None:
    assert not has_no_network(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))


# Providers and gateways.


@pytest.mark.parametrize(
    ("base", "expected"), [("http://127.0.0.1:1", "unreachable"), ("https://api.exmaple.invalid", "unresolved")]
)
def test_a_providers_api_that_cannot_be_found_or_reached_is_away(base: str, expected: str, settings: Settings) -> None:
    settings.EMAIL_ROUTE = Esp("sendgrid", (("api_key", "k"), ("api_url", f"{base}/v3/")))
    send_out = started()
    handed_over(send_out)

    assert (nothing_happened(send_out), cause(), state_of(send_out)) == (True, expected, "sending")


@contextmanager
def over_tls(certificate: str) -> Iterator[int]:
    """Whoever does not trust it says no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening, context.wrap_socket(listening, server_side=True) as tls:

        def listen() -> None:
            while tls.fileno() >= 0:
                try:
                    tls.accept()[0].close()
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        yield listening.getsockname()[1] if listening.fileno() >= 0 else tls.getsockname()[1]
        tls.shutdown(socket.SHUT_RDWR)


def test_a_providers_api_with_a_certificate_that_nobody_vouches_for_is_away(settings: Settings, ca: str) -> None:
    with over_tls(ca) as port:
        settings.EMAIL_ROUTE = Esp("sendgrid", (("api_key", "k"), ("api_url", f"https://127.0.0.1:{port}/v3/")))
        send_out = started(count=3)
        handed_over(send_out)

    assert (nothing_happened(send_out), cause()) == (True, "untrusted")


@pytest.mark.parametrize(
    ("status", "expected", "state"),
    [
        (401, "login", "paused"),
        (402, "account", "paused"),
        (500, "unwilling", "sending"),
        (503, "unwilling", "sending"),
    ],
)
def test_a_provider_that_refuses_us_or_is_out_of_order_is_away_and_goes_on_by_itself(
    status: int, expected: str, state: str, settings: Settings
) -> None:
    with provider("sendgrid", (status, {}, {"errors": [{"message": "no"}]})) as found:
        settings.EMAIL_ROUTE = found.route
        send_out = started()
        handed_over(send_out)
        assert (nothing_happened(send_out), cause(), state_of(send_out)) == (True, expected, state)

        found.answers.clear()
        del found.asked[:]
        dispatcher.try_again()
        handed_over(send_out)
    assert len(found.asked) == PEOPLE
    assert (state_of(send_out), alarms.away()) == ("sending", [])


@pytest.mark.parametrize(
    ("base", "expected"), [("http://127.0.0.1:1", "unreachable"), ("https://api.exmaple.invalid", "unresolved")]
)
def test_a_gateway_that_cannot_be_found_or_reached_is_away(base: str, expected: str, settings: Settings) -> None:
    settings.SMS_ROUTE = HttpRoute("twilio", "user1", "secret1", base)
    send_out = started(Channel.SMS)
    handed_over(send_out)

    assert (nothing_happened(send_out), cause(), state_of(send_out)) == (True, expected, "sending")


def test_a_gateway_with_a_certificate_that_nobody_vouches_for_is_away(settings: Settings, ca: str) -> None:
    with over_tls(ca) as port:
        settings.SMS_ROUTE = HttpRoute("twilio", "user1", "secret1", f"https://127.0.0.1:{port}")
        send_out = started(Channel.SMS, 3)
        handed_over(send_out)

    assert (nothing_happened(send_out), cause()) == (True, "untrusted")


@pytest.mark.parametrize(
    ("status", "expected", "state"),
    [(401, "login", "paused"), (403, "login", "paused"), (402, "account", "paused"), (503, "unwilling", "sending")],
)
def test_a_gateway_that_refuses_us_or_is_out_of_order_is_away(
    status: int, expected: str, state: str, settings: Settings, port: int
) -> None:
    settings.SMS_ROUTE = HttpRoute("twilio", "user1", "secret1", f"http://127.0.0.1:{port}")
    send_out = started(Channel.SMS)
    head = f"HTTP/1.1 {status} No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
    with saying(port, b"", head):
        handed_over(send_out)

    assert (nothing_happened(send_out), cause(), state_of(send_out)) == (True, expected, state)


# What people read.


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Relay("relay.exmaple.invalid", 25), "The mail server through which emails leave cannot be found"),
        (Relay("127.0.0.1", 1), "The mail server through which emails leave cannot be reached"),
        (Esp("sendgrid", (("api_key", "k"), ("api_url", "http://127.0.0.1:1/"))), "SendGrid cannot be reached"),
    ],
)
def test_the_send_out_says_that_nothing_leaves_and_why_and_the_page_providers_what_to_do(
    route: Route | Esp, words: str, settings: Settings
) -> None:
    settings.EMAIL_ROUTE = route
    send_out = started()
    handed_over(send_out)

    page = text_of(log_in("Marketers").get(send_out.get_absolute_url()).content.decode())
    assert "Nothing leaves at the moment, since" in page
    assert words in page
    assert "0 of 12 handed over" in page
    providers = log_in("Administrators").get("/providers/").content.decode()
    assert f"No email leaves. {words}" in text_of(providers)
    assert "EMAIL_ROUTE" in text_of(providers)
    assert "<title>Warning" in " ".join(providers.split())


@pytest.mark.usefixtures("groups")
def test_a_refused_log_in_is_named_without_the_password(settings: Settings, port: int) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", port, "engage", "wr0ng-one")
    send_out = started()
    with relay(port, password="s3cret"):
        handed_over(send_out)

    page = text_of(log_in("Marketers").get(send_out.get_absolute_url()).content.decode())
    assert "Paused" in page
    assert "The mail server through which emails leave refuses our log-in." in page
    providers = text_of(log_in("Administrators").get("/providers/").content.decode())
    assert "Correct user and password, or the key, in EMAIL_ROUTE" in providers
    assert "535" in providers
    assert "wr0ng-one" not in page + providers


@pytest.mark.usefixtures("groups")
def test_a_test_to_oneself_waits_and_whoever_sent_it_reads_why(settings: Settings, port: int) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
    send_out = started()
    handed_over(send_out)
    draft = make_send_out(sender="news@engage.example")
    client = log_in("Marketers")
    get_user_model().objects.update(email="marketer@engage.example")
    shown = text_of(client.post(reverse("messaging:send_out_test", args=[draft.pk]), follow=True).content.decode())
    assert (
        "It waits, and leaves by itself later: The mail server through which emails leave cannot be reached." in shown
    )

    me = make_user()
    me.email = "me@engage.example"
    sent = single.send_test(draft, me)
    Alarm.objects.update(next_try_at=timezone.now())
    dispatcher.try_again()
    sent.refresh_from_db()
    assert (sent.status, sent.attempts, sent.events.count()) == ("waiting", 0, 0)
    with relay(port) as found:
        Alarm.objects.update(next_try_at=timezone.now())
        dispatcher.try_again()
    assert found.taken["me@engage.example"] == 1


def test_each_cause_has_words_and_advice_that_name_what_they_should() -> None:
    for each in AwayCause:
        assert each == AwayCause.NOBODY or "%(who)s" in each.label
        assert str(ADVICE[each]) % {"setting": "EMAIL_ROUTE"}
