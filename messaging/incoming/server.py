"""The mail server for bounces: SMTP (RFC 5321) and LMTP (RFC 2033), on aiosmtpd.

It takes mail for our own addresses alone, says 250 once the mail is committed, and sends none itself: what it does not
want it refuses in the dialogue, so there is nothing to send back later. If PostgreSQL is away it says 451, and the
other side tries again; so it does while too much mail waits to be read (room.py).
"""

import asyncio
import logging
import ssl
from asyncio import AbstractEventLoop
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from messaging.incoming import addresses, mails
from messaging.incoming.clerk import Clerk, IntakeAnswer
from messaging.incoming.listeners import LMTP as BY_LMTP
from messaging.incoming.listeners import Listener

log: Final = logging.getLogger(__name__)

# RFC 5321 4.5.3.2.7: at least five minutes. Within the same time a whole mail has to have come.
PATIENCE_SECONDS: Final = 300.0
# At the end, mails that are on their way in may still arrive.
STOP_SECONDS: Final = 20.0
MOST_CONNECTIONS: Final = 200
# RFC 5321 4.5.3.1.8: at least 100.
MOST_RECIPIENTS: Final = 100
# RFC 5321 4.5.3.1.6 has 1,000, and many a bounce has more. Refused for that, it would be lost for good.
LONGEST_LINE: Final = 1024 * 1024

KEPT: Final = "250 2.0.0 Kept"
NOT_NOW: Final = "451 4.3.0 We cannot take it now; try again later"
NO_ROOM: Final = "452 4.3.1 Too much mail waits to be read; try again later"
FULL: Final = "421 4.3.2 Too many connections; try again later"
STOPPING: Final = "421 4.3.2 We are being stopped; try again later"
TOO_SLOW: Final = "421 4.4.2 You took too long"
NOT_OURS: Final = "550 5.7.1 We take mail for other domains only"
NOBODY: Final = "550 5.1.1 There is no such address here"
TOO_MANY: Final = "452 4.5.3 Too many recipients; send the mail to the others afterwards"
TOO_BIG: Final = "552 5.3.4 The mail is too big"
ANSWERS: Final = {IntakeAnswer.KEPT: KEPT, IntakeAnswer.NOT_NOW: NOT_NOW, IntakeAnswer.NO_ROOM: NO_ROOM}
# What aiosmtpd says of it, without an enhanced code.
THEIR_TOO_BIG: Final = "552 "


class Front:
    """What the sessions ask; aiosmtpd calls the methods by name."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk
        self.sessions: set[_Session] = set()
        self.is_stopping = False

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        # Nobody logs in here. Commands are read one by one, however they come (RFC 2920).
        kept = [each for each in responses if not each.startswith("250-AUTH") and each != "250 HELP"]
        return [*kept, "250 PIPELINING"]

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return TOO_MANY
        if not addresses.is_taken(address):
            return NOBODY if addresses.is_our_domain(address) else NOT_OURS
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: "_Session", session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Once more for each recipient where it is LMTP (RFC 2033 4.2); `push` sees to that."""
        sender = "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
        # By LMTP it comes from our own mail server, which has it from somebody.
        peer = str(session.peer[0]) if server.protocol != BY_LMTP and isinstance(session.peer, tuple) else ""
        mail = mails.kept(
            envelope.original_content or b"", server.protocol, recipients=envelope.rcpt_tos, sender=sender, peer=peer
        )
        return ANSWERS[await asyncio.wrap_future(self._clerk.keep(mail))]

    async def handle_exception(self, error: Exception) -> str:
        log.error("A mail session went wrong: %s.", type(error).__name__, exc_info=error)
        return NOT_NOW


class _Session(SMTP):
    """A session, so that nobody who is slow, or comes with too many, takes the room of the others."""

    protocol = "smtp"
    line_length_limit = LONGEST_LINE
    is_turned_away = False
    # Between DATA and its answer: how many answers are due, else 0.
    answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        front: Front = self.event_handler
        is_new = self not in front.sessions
        if is_new and (front.is_stopping or len(front.sessions) >= MOST_CONNECTIONS):
            self.is_turned_away = True
            _say(transport, STOPPING if front.is_stopping else FULL)
            return
        front.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_turned_away:
            return
        self.event_handler.sessions.discard(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if not self.is_turned_away:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        return False if self.is_turned_away else super().eof_received()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        recipients = len(self.envelope.rcpt_tos) if self.envelope else 0
        self.answers = -recipients
        await super().smtp_DATA(arg)
        self.answers = 0

    async def push(self, status: str) -> None:  # type: ignore[override]
        if status.startswith("354"):
            self.answers = -self.answers
        elif self.answers > 0:
            status = "\r\n".join([TOO_BIG if status.startswith(THEIR_TOO_BIG) else status] * self.copies)
            self.answers = 0
        await super().push(status)

    @property
    def copies(self) -> int:
        """How often the answer to DATA is given."""
        return 1

    def _timeout_cb(self) -> None:
        self.end(TOO_SLOW)

    def end(self, words: str) -> None:
        if self.transport is not None:
            _say(self.transport, words)

    def stop(self) -> None:
        """At once, unless a mail is just coming in."""
        if not self.answers:
            self.end(STOPPING)


class _LmtpSession(_Session, LMTP):
    protocol = BY_LMTP

    @property
    def copies(self) -> int:
        return self.answers


def _say(transport: asyncio.BaseTransport, words: str) -> None:
    """The last words of a session."""
    if isinstance(transport, asyncio.WriteTransport):
        transport.write(f"{words}\r\n".encode())
        transport.close()


class BounceServer:
    """All listeners. `hostname` is how it names itself; `longest`: bytes of a mail at most."""

    def __init__(self, clerk: Clerk, hostname: str, longest: int, tls: ssl.SSLContext | None = None) -> None:
        self._front = Front(clerk)
        self._settings: dict[str, Any] = {
            "data_size_limit": longest,
            "enable_SMTPUTF8": True,
            "hostname": hostname,
            "ident": "Engage takes bounces",
            "tls_context": tls,
            "timeout": PATIENCE_SECONDS,
            "auth_exclude_mechanism": ["LOGIN", "PLAIN"],
        }
        self._servers: list[asyncio.Server] = []

    async def start(self, listeners: Sequence[Listener]) -> None:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        for each in listeners:
            session = _LmtpSession if each.protocol == BY_LMTP else _Session
            self._servers.append(await self._listen(loop, each, session))
            log.info("Bounce mail is taken at %s.", each)

    async def _listen(self, loop: AbstractEventLoop, listener: Listener, session: type[_Session]) -> asyncio.Server:
        def make() -> _Session:
            return session(self._front, loop=loop, **self._settings)

        if listener.path:
            # One of an earlier process that was killed.
            Path(listener.path).unlink(missing_ok=True)
            server = await loop.create_unix_server(make, listener.path)
            # Whoever may enter its folder may hand us mail: the mail server runs as another user.
            Path(listener.path).chmod(0o666)
            return server
        return await loop.create_server(make, listener.host, listener.port, backlog=MOST_CONNECTIONS)

    async def stop(self) -> None:
        """No new sessions; those in the midst of a mail end it, or are cut off after STOP_SECONDS."""
        self._front.is_stopping = True
        for server in self._servers:
            server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._front.sessions:
                    for session in list(self._front.sessions):
                        session.stop()
                    await asyncio.sleep(0.05)
        for session in list(self._front.sessions):
            session.end(STOPPING)


def tls_of(certificate: str, key: str) -> ssl.SSLContext | None:
    """For STARTTLS (RFC 3207); None where there is no certificate. Raises OSError, ssl.SSLError."""
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key or None)
    return context
