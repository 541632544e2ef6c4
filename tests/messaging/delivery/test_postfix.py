"""A whole way through a real Postfix: what it takes, refuses, puts off, and sends back afterwards."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import dkim
import pytest
from django.utils import timezone
from pytest_django import Settings

from contacts.models import Block
from messaging.delivery import dispatcher
from messaging.delivery.email_routes import Direct, Relay
from messaging.inbox import reports
from messaging.ledger.sweep import give_up_due
from messaging.models import Content, Message, Report, SendOut
from messaging.sendouts.dkim import keys_of, write_new
from tests import postfix
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.processes import Process, wait_for
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.scripted import Scripted, scripted
from tests.postfix import Postfix

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postfix]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def bounce_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def later() -> Iterator[Scripted]:
    """The server of later.example, behind Postfix."""
    with scripted() as found:
        yield found


@pytest.fixture(scope="module")
def server(bounce_port: int, later: Scripted) -> Iterator[Postfix]:
    program = postfix.find()
    if program is None:
        assert not os.environ.get("CI"), "tests against Postfix are not skipped where CI is set"
        pytest.skip("no Postfix here, or this is not root: apt install postfix")
    with postfix.running(
        program, free_port(), {"bounces.example.org": bounce_port, "later.example": later.port}
    ) as found:
        yield found


@pytest.fixture(autouse=True)
def way(server: Postfix, settings: Settings, tmp_path: Path) -> None:
    write_new(tmp_path / "rsa.pem", is_ed25519=False)
    settings.DKIM_KEYS = keys_of(f"autumn26@engage.example={tmp_path / 'rsa.pem'}")
    settings.BOUNCE_DOMAIN = "bounces.example.org"
    settings.EMAIL_ROUTE = Direct("127.0.0.1", server.port)


def sent_to(*addresses: str, html: str = "") -> dict[str, Message]:
    for each in addresses:
        make_contact(first_name="Åsa", email=each)
    made = make_send_out(sender="news@engage.example", sender_name="Engagé")
    if html:
        made.content = Content.objects.create(send_out=made, version=2, subject="Hej [[firstName]]", html=html)
        made.save()
    run(made)
    return handed_over(made)


def handed_over(send_out: SendOut) -> dict[str, Message]:
    while dispatcher.hand_over(send_out.pk):
        pass
    found = Message.objects.filter(send_out=send_out).select_related("address", "contact")
    return {each.address.value.partition("@")[0]: each for each in found}


def due(message: Message, **fields: object) -> None:
    Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now(), **fields)


def test_what_postfix_says_is_the_status(server: Postfix) -> None:
    server.refuse(unknown="550 5.1.1 User unknown", full="552 5.2.2 Mailbox full", busy="450 4.2.0 Greylisted")

    messages = sent_to(*(f"{name}@there.example" for name in ("anna", "unknown", "full", "busy")))

    assert {name: (each.status, each.reason) for name, each in messages.items()} == {
        "anna": ("delivered", ""),
        "unknown": ("hard_bounce", "user_unknown"),
        "full": ("soft_bounce", "mailbox_full"),
        "busy": ("deferred", "greylisted"),
    }
    assert Block.objects.get().address.value == "unknown@there.example"


def test_the_mail_in_the_mailbox_is_right_and_its_signature_verifies(server: Postfix, settings: Settings) -> None:
    before = len(server.mails(0))
    html = f'<p>Hej&nbsp;[[firstName]]!</p>\n<p>.</p>\n.dot\n<a href="https://shop.example/?a=1&amp;b=2">Köp</a> {"lång " * 300}'

    anna = sent_to("mime@there.example", html=html)["mime"]

    raw = next(each for each in server.mails(before + 1) if b"mime@there.example" in each)
    key = settings.DKIM_KEYS[0]
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: {f"{key.name}.".encode(): key.record.encode()}.get(name))
    mail = message_from_bytes(raw, policy=default)
    assert (mail["Subject"], mail["To"]) == ("Hej Åsa", "mime@there.example")
    assert mail["From"].addresses[0].display_name == "Engagé"
    assert mail["Return-Path"].strip("<>").startswith("bounce+")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert not any(part.defects for part in mail.walk())
    body = mail.get_body(("html",))
    assert body is not None
    said = body.get_content()
    assert "<p>Hej&nbsp;Åsa!</p>\n<p>.</p>\n.dot\n" in said
    assert "lång " * 300 in said
    assert anna.status == "delivered"


def test_hundreds_of_mails_in_one_go_arrive_once_each(server: Postfix) -> None:
    before = len(server.mails(0))

    messages = sent_to(*(f"p{number}@there.example" for number in range(300)))

    assert {each.status for each in messages.values()} == {"delivered"}
    arrived = [message_from_bytes(each)["To"] for each in server.mails(before + 300)]
    assert sorted(each for each in arrived if each.startswith("p")) == sorted(
        each.address.value for each in messages.values()
    )


def test_a_mailbox_beyond_ascii_gets_its_mail(server: Postfix) -> None:
    assert [each.status for each in sent_to("åsa@there.example").values()] == ["delivered"]


def test_what_is_put_off_at_first_is_taken_later(server: Postfix) -> None:
    server.refuse(twice="450 4.2.0 Greylisted")
    message = sent_to("twice@there.example")["twice"]
    assert message.status == "deferred"

    server.refuse()
    due(message)
    dispatcher.try_again()

    message.refresh_from_db()
    assert (message.status, message.attempts, message.next_attempt_at) == ("delivered", 2, None)


def test_what_is_put_off_for_ever_is_given_up_after_72_hours(server: Postfix) -> None:
    server.refuse(never="451 4.3.0 Try later")
    message = sent_to("never@there.example")["never"]
    due(message)
    dispatcher.try_again()
    first = timezone.now() - timedelta(hours=72, minutes=1)
    due(message, sent_at=first, due_at=first + timedelta(hours=72))

    dispatcher.try_again()
    give_up_due()
    dispatcher.try_again()

    message.refresh_from_db()
    assert (message.status, message.attempts, message.next_attempt_at) == ("soft_bounce", 2, None)
    assert "Try later" in message.diagnostic


@contextmanager
def bounce_server(port: int, database_url: str, log: Path) -> Iterator[None]:
    surroundings = {"DATABASE_URL": database_url, "BOUNCE_DOMAIN": "bounces.example.org"}
    process = Process(log, "manage.py", "bounce_server", BOUNCE_LISTEN=f"smtp://127.0.0.1:{port}", **surroundings)
    try:
        process.wait_for("Bounce mail is taken at")
        yield
    finally:
        process.end()


@pytest.mark.usefixtures("groups")
def test_what_is_taken_and_then_comes_back_shows_on_the_card(
    server: Postfix, settings: Settings, bounce_port: int, database_url: str, tmp_path: Path
) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", server.port)
    with bounce_server(bounce_port, database_url, tmp_path / "log"):
        message = sent_to("rcpt@later.example")["rcpt"]
        assert message.status == "unknown"
        wait_for(Report.objects.exists)
    reports.apply_pending()

    message.refresh_from_db()
    assert (message.status, message.reason, message.code) == ("hard_bounce", "user_unknown", "550 5.1.1")
    assert message.contact is not None
    card = log_in("Marketers").get(f"{message.contact.get_absolute_url()}messages/")
    assert "Hard bounce" in card.content.decode()


@pytest.mark.usefixtures("groups")
def test_what_a_relay_that_offers_dsn_has_delivered_shows_delivered(
    server: Postfix, settings: Settings, bounce_port: int, database_url: str, tmp_path: Path
) -> None:
    """RFC 3461: its report comes to the return path, and names the mail."""
    settings.EMAIL_ROUTE = Relay("127.0.0.1", server.port)
    with bounce_server(bounce_port, database_url, tmp_path / "log"):
        message = sent_to("anna@there.example")["anna"]
        assert message.status == "unknown"
        wait_for(Report.objects.exists)
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "delivered"
    assert b"Original-Envelope-Id: " in bytes(Report.objects.get().body)


@pytest.mark.usefixtures("groups")
def test_that_a_relay_passed_it_on_to_who_reports_nothing_is_no_delivery(
    server: Postfix, settings: Settings, bounce_port: int, database_url: str, tmp_path: Path
) -> None:
    settings.EMAIL_ROUTE = Relay("127.0.0.1", server.port)
    with bounce_server(bounce_port, database_url, tmp_path / "log"):
        message = sent_to("fine@later.example")["fine"]
        wait_for(Report.objects.exists)
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "unknown"
    assert b"Action: relayed" in bytes(Report.objects.get().body)
