"""Which servers take a domain's mail: asked of a real DNS server on loopback."""

from collections.abc import Iterator

import dns.resolver
import pytest

from messaging.bounces.classify import classify
from messaging.delivery.transports.mx import NoServerError, servers_of
from tests.messaging.name_server import answering

ZONE = {
    ("two.example.", "MX"): ["20 b.two.example.", "10 a.two.example."],
    ("equal.example.", "MX"): ["10 a.equal.example.", "10 b.equal.example."],
    ("null.example.", "MX"): ["0 ."],
    ("itself.example.", "A"): ["192.0.2.1"],
    ("six.example.", "AAAA"): ["2001:db8::1"],
    ("nothing.example.", "TXT"): ["hi"],
}


@pytest.fixture(scope="module")
def resolver() -> Iterator[dns.resolver.Resolver]:
    with answering(ZONE) as found:
        yield found


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
