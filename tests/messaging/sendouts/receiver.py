"""A real mail server on loopback, which answers as its recipients' addresses say; it keeps what it took."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

ANSWERS = {
    "unknown": "550 5.1.1 <x>: Recipient address rejected: User unknown",
    "full": "552 5.2.2 Mailbox full",
    "later": "450 4.2.0 Greylisted, please try again later",
    "policy": "550 5.7.1 Message rejected due to local policy",
    "busy": "450 4.7.1 Too many messages from your server, please slow down",
    "closing": "421 4.3.2 Service not available, closing transmission channel",
}


@dataclass
class Receiver:
    """By the local part of the recipient: a key of ANSWERS is refused so; "drop" hangs up after the data."""

    port: int = 0
    taken: list[Envelope] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    refusals: dict[str, int] = field(default_factory=dict)

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's
        self, server: SMTP, _s: Session, envelope: Envelope, address: str, _o: list[str]
    ) -> str:
        local = address.partition("@")[0].partition("+")[0]
        self.tries[address] += 1
        if local in ANSWERS and self.tries[address] <= self.refusals.get(local, 10**6):
            return ANSWERS[local]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if envelope.rcpt_tos[0].startswith("drop"):
            self.taken.append(envelope)
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 never heard"
        self.taken.append(envelope)
        return "250 2.0.0 Taken"


@contextmanager
def receiver(**refusals: int) -> Iterator[Receiver]:
    """`later=1`: refuse once, then take it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        handler = Receiver(free.getsockname()[1], refusals=refusals)
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port, ready_timeout=20)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()
