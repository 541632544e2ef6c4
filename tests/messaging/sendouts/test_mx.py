"""Which servers take a domain's mail: asked of a real DNS server on loopback."""

import socket
from collections.abc import Iterator
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from messaging.bounces.classify import classify
from messaging.sendouts.handover.mx import NoServerError, servers_of

ZONE = {
    ("two.example.", "MX"): ["20 b.two.example.", "10 a.two.example."],
    ("equal.example.", "MX"): ["10 a.equal.example.", "10 b.equal.example."],
    ("null.example.", "MX"): ["0 ."],
    ("itself.example.", "A"): ["192.0.2.1"],
    ("six.example.", "AAAA"): ["2001:db8::1"],
    ("nothing.example.", "TXT"): ["hi"],
}
NAMES = {name for name, _kind in ZONE}


def answer_to(wire: bytes) -> bytes:
    question = dns.message.from_wire(wire)
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.RA
    asked = question.question[0]
    name, kind = asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype)
    if name == "broken.example.":
        answer.set_rcode(dns.rcode.SERVFAIL)
    elif (name, kind) in ZONE:
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *ZONE[name, kind]))
    elif name not in NAMES:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()


@pytest.fixture(scope="module")
def resolver() -> Iterator[dns.resolver.Resolver]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                wire, who = server.recvfrom(4096)
                if not wire:
                    return
                server.sendto(answer_to(wire), who)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], server.getsockname()[1]
        yield found
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join()


@pytest.mark.parametrize(
    ("domain", "servers"),
    [
        ("two.example", ["a.two.example", "b.two.example"]),
        ("itself.example", ["itself.example"]),
        ("six.example", ["six.example"]),
    ],
)
def test_the_most_preferred_comes_first_and_a_domain_without_any_is_its_own(
    resolver: dns.resolver.Resolver, domain: str, servers: list[str]
) -> None:
    assert servers_of(domain, resolver) == servers


def test_equals_share_the_load(resolver: dns.resolver.Resolver) -> None:
    first = {servers_of("equal.example", resolver)[0] for _ in range(60)}

    assert first == {"a.equal.example", "b.equal.example"}


@pytest.mark.parametrize(
    ("domain", "reply", "is_hard"),
    [
        ("null.example", 556, True),
        ("missing.example", 550, True),
        ("nothing.example", 550, True),
        ("broken.example", 0, False),
    ],
)
def test_a_domain_without_a_server_says_so_and_one_that_does_not_answer_is_asked_again(
    resolver: dns.resolver.Resolver, domain: str, reply: int, *, is_hard: bool
) -> None:
    with pytest.raises(NoServerError) as raised:
        servers_of(domain, resolver)

    assert raised.value.reply == reply
    assert classify(str(raised.value), reply_code=str(reply or "")).is_hard is is_hard
