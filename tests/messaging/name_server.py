"""A real DNS server on loopback that knows one zone."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

# By name (with its dot at the end) and type, what is answered; any type of BROKEN fails.
Zone = Mapping[tuple[str, str], list[str]]
BROKEN = "broken.example."


@contextmanager
def answering(zone: Zone) -> Iterator[dns.resolver.Resolver]:
    """The server, and a resolver that asks it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                wire, who = server.recvfrom(4096)
                if not wire:
                    return
                server.sendto(_answer_to(wire, zone), who)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], server.getsockname()[1]
        yield found
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join()


def _answer_to(wire: bytes, zone: Zone) -> bytes:
    question = dns.message.from_wire(wire)
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.RA
    asked = question.question[0]
    name, kind = asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype)
    if name == BROKEN:
        answer.set_rcode(dns.rcode.SERVFAIL)
    elif (name, kind) in zone:
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *zone[name, kind]))
    elif name not in {known for known, _kind in zone}:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()
