"""Who may speak for an address: a server that takes the mail of its domain, or whose name lies within that domain.

A bounce that comes to no return path of ours names its message by what every reader of the mail can see. Where it came
from such a server, to our own bounce server and with the null sender that no person can use (RFC 3464 2), it is taken
for proven. Whatever cannot be looked up may not speak.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from django.core.cache import cache
from django.db import transaction

from engage.wake import wake
from messaging.ledger.recipients import domain_in_ascii

# Loaded where a server is looked for: not every worker need hold it.
if TYPE_CHECKING:
    import dns.resolver

log = logging.getLogger(__name__)

# For one answer of the DNS, seconds; and for how long what came of it is remembered.
PATIENCE_SECONDS: Final = 3.0
REMEMBERED_SECONDS: Final = 600
# So many servers of a domain, and names of an IP address, are looked at: more is no honest answer.
MOST: Final = 10


class NamedBounce(NamedTuple):
    """A hard bounce that only names its message: which event it is (key in hexadecimal), and the IP address that our
    server took it from."""

    message_id: int
    key: str
    peer: str


def ask(claims: Sequence[NamedBounce]) -> None:
    """Have these judged soon after the transaction. Where the broker is away they stay what they are."""
    if claims:
        transaction.on_commit(partial(_ask, claims))


def _ask(claims: Sequence[NamedBounce]) -> None:
    for claim in claims:
        if not wake("messaging.tasks.judge_claim", *claim):
            return


def speaks_for(peer: str, domain: str) -> bool:
    """Whether that IP address may speak for the domain (`may_speak`); an answer is remembered for a while."""
    name = f"messaging.suppression.speakers.{peer}.{domain}"
    with suppress(Exception):
        if (known := cache.get(name)) is not None:
            return bool(known)
    answer = may_speak(peer, domain)
    with suppress(Exception):
        cache.set(name, answer, REMEMBERED_SECONDS)
    return answer


def may_speak(peer: str, domain: str, resolver: "dns.resolver.Resolver | None" = None) -> bool:
    """Whether the IP address is that of a mail server of the domain (its MX, else itself: RFC 5321 5.1), or has a name
    within the domain that leads back to it (RFC 8601 3: iprev). False where the DNS does not answer."""
    import dns.exception  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    asked = resolver or dns.resolver.get_default_resolver()
    try:
        wanted = domain_in_ascii(domain)
        return _is_server(peer, wanted, asked) or _has_name_within(peer, wanted, asked)
    except (dns.exception.DNSException, ValueError):
        return False


def _is_server(peer: str, domain: str, asked: "dns.resolver.Resolver") -> bool:
    servers = _answers(domain, "MX", asked)
    names = [each.rpartition(" ")[2] for each in servers] or [domain]
    return any(_leads_to(name, peer, asked) for name in names)


def _has_name_within(peer: str, domain: str, asked: "dns.resolver.Resolver") -> bool:
    import dns.reversename  # noqa: PLC0415

    names = _answers(dns.reversename.from_address(peer).to_text(), "PTR", asked)
    within = [name for name in names if _is_within(name, domain)]
    return any(_leads_to(name, peer, asked) for name in within)


def _is_within(name: str, domain: str) -> bool:
    host = name.rstrip(".").lower()
    return host == domain or host.endswith(f".{domain}")


def _leads_to(name: str, peer: str, asked: "dns.resolver.Resolver") -> bool:
    wanted = ip_address(peer)
    found = _answers(name, "AAAA" if wanted.version == 6 else "A", asked)
    return any(ip_address(each) == wanted for each in found)


def _answers(name: str, kind: str, asked: "dns.resolver.Resolver") -> list[str]:
    """As the DNS writes them; none where there is no such name or it does not answer in time."""
    import dns.exception  # noqa: PLC0415

    try:
        return [each.to_text() for each in list(asked.resolve(name, kind, lifetime=PATIENCE_SECONDS))[:MOST]]
    except dns.exception.DNSException:
        return []
