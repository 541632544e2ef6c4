"""Who may speak for an address: asked of a real DNS server, and what follows on a real bounce server."""

import smtplib
from collections.abc import Callable, Iterator

import dns.resolver
import pytest
from django.core.cache import cache
from django.utils import timezone

from contacts.models import Block
from engage.celery import app
from messaging.inbox import reports
from messaging.models import DeliveryEvent, Message
from messaging.suppression import speakers
from messaging.suppression.speakers import may_speak
from tests.messaging.conftest import make_contact, make_message
from tests.messaging.incoming.letters import DOMAIN, letter, our_message_id
from tests.messaging.name_server import answering
from tests.messaging.processes import Process

ZONE = {
    ("own.example.", "MX"): ["10 mx.own.example."],
    ("mx.own.example.", "A"): ["192.0.2.1", "127.0.0.1"],
    ("six.example.", "MX"): ["10 mx.six.example."],
    ("mx.six.example.", "AAAA"): ["2001:db8::25"],
    ("itself.example.", "A"): ["192.0.2.3"],
    ("hosted.example.", "MX"): ["10 mx.hoster.example."],
    ("mx.hoster.example.", "A"): ["192.0.2.9"],
    ("out.named.example.", "A"): ["192.0.2.4"],
    ("named.example.", "MX"): ["10 mx.hoster.example."],
    ("4.2.0.192.in-addr.arpa.", "PTR"): ["out.named.example."],
    ("5.2.0.192.in-addr.arpa.", "PTR"): ["liar.named.example."],
    ("liar.named.example.", "A"): ["192.0.2.99"],
    ("6.2.0.192.in-addr.arpa.", "PTR"): ["mx.notnamed.example."],
    ("mx.notnamed.example.", "A"): ["192.0.2.6"],
    ("xn--bcher-kva.example.", "MX"): ["10 mx.own.example."],
}


@pytest.fixture(scope="module")
def resolver() -> Iterator[dns.resolver.Resolver]:
    with answering(ZONE) as found:
        yield found


@pytest.mark.parametrize(
    ("peer", "domain"),
    [
        ("192.0.2.1", "own.example"),
        ("2001:db8:0::25", "six.example"),
        ("192.0.2.3", "itself.example"),
        ("192.0.2.9", "hosted.example"),
        ("192.0.2.4", "named.example"),
        ("192.0.2.1", "bücher.example"),
    ],
)
def test_a_server_of_the_domain_may_speak_for_it(resolver: dns.resolver.Resolver, peer: str, domain: str) -> None:
    assert may_speak(peer, domain, resolver)


@pytest.mark.parametrize(
    ("peer", "domain"),
    [
        ("192.0.2.2", "own.example"),
        ("192.0.2.5", "named.example"),  # its name does not lead back
        ("192.0.2.6", "named.example"),  # ends alike, and is another domain
        ("192.0.2.4", "own.example"),
        ("192.0.2.1", "broken.example"),
        ("192.0.2.1", "unknown.example"),
        ("not an address", "own.example"),
        ("192.0.2.1", ""),
        ("192.0.2.1", "a" * 300),
    ],
)
def test_nobody_else_may_nor_where_it_cannot_be_looked_up(
    resolver: dns.resolver.Resolver, peer: str, domain: str
) -> None:
    assert not may_speak(peer, domain, resolver)


@pytest.fixture
def message(transactional_db: None) -> Message:
    cache.clear()
    return make_message(contact=make_contact(email="anna@own.example"), sent_at=timezone.now())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task runs where it is asked for, in place of a worker."""

    def run(task: str, *arguments: object) -> bool:
        app.tasks[task](*arguments)
        return True

    app.loader.import_default_modules()
    monkeypatch.setattr(speakers, "wake", run)


@pytest.mark.usefixtures("at_once")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("sender", "is_blocked"),
    [("", True), ("anna@own.example", False)],  # whoever has a mailbox there has no null sender
)
def test_a_bounce_from_the_addresss_own_server_blocks_by_a_message_id(
    serve: Callable[..., Process],
    connect: Callable[..., smtplib.SMTP],
    message: Message,
    resolver: dns.resolver.Resolver,
    monkeypatch: pytest.MonkeyPatch,
    sender: str,
    is_blocked: bool,
) -> None:
    serve()
    mail = letter("postfix_user_unknown", recipient=message.address.value, returned=our_message_id(message))
    connect().sendmail(sender, [f"bounce@{DOMAIN}"], mail)
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    reports.apply_batch()

    message.refresh_from_db()
    assert message.status == "hard_bounce"
    assert Block.objects.filter(address=message.address).exists() == is_blocked
    assert DeliveryEvent.objects.get().caveat == ("" if is_blocked else "named")
