"""A mail server that pipelines and does what its recipients' addresses say, also what no good server does.

By the local part up to a plus: `mail`, `rcpt`, `data` and `end` are refused there; `rcpt354` too, but the server goes on
as if there were a recipient (RFC 2920 3.1); `closing` gets "421" for its content; `dropmail`, `droprcpt`, `dropdata` and
`dropend` find the line dead at that point; after `silent` not a word more is said. All others are taken.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Talk:
    """One connection, without a socket: what is said goes in, what is answered comes out."""

    is_pipelining: bool = True
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    # Recipients whose content has come to its end.
    ended: list[str] = field(default_factory=list)
    is_closed: bool = False
    is_silent: bool = False
    commands: list[str] = field(default_factory=list)
    # The most that ever came before an answer went out.
    largest_group: int = 0
    _heard: bytes = b""
    _is_content: bool = False
    _sender: str = ""
    _recipient: str = ""
    _is_refused: bool = True

    def hear(self, data: bytes) -> bytes:
        """Answers, up to where the server hangs up."""
        self._heard += data
        said, group = b"", 0
        while not (self.is_closed or self.is_silent):
            mark = b"\r\n"
            if self._is_content:
                mark = b".\r\n" if self._heard.startswith(b".\r\n") else b"\r\n.\r\n"
            line, found, rest = self._heard.partition(mark)
            if not found:
                break
            self._heard, group = rest, group + 1
            said += self._content(line + found) if self._is_content else self._command(line.decode())
        self.largest_group = max(self.largest_group, group)
        return said

    @property
    def _does(self) -> str:
        return self._recipient.partition("@")[0].partition("+")[0]

    def _content(self, raw: bytes) -> bytes:
        self._is_content = False
        does, recipient = self._does, self._recipient
        is_refused, self._is_refused = self._is_refused, True
        self._sender = self._recipient = ""
        if is_refused:
            assert raw == b".\r\n", "of a mail whose recipient was refused the end alone may come"
            return b"554 5.5.1 no valid recipients\r\n"
        self.ended.append(recipient)
        if does == "dropend":
            self.is_closed = True
            return b""
        if does == "silent":
            self.is_silent = True
            return b""
        if does == "closing":
            self.is_closed = True
            return b"421 4.3.2 closing\r\n"
        if does == "end":
            return b"552-5.3.4 too\r\n552 5.3.4 big\r\n"
        self.taken.append((recipient, raw.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")))
        return b"250 2.0.0 taken\r\n"

    def _command(self, line: str) -> bytes:
        self.commands.append(line)
        verb = line[:4].upper()
        if verb == "EHLO":
            return b"250-here\r\n250-8BITMIME\r\n250-SIZE 10000000\r\n" + (
                b"250-PIPELINING\r\n250 SMTPUTF8\r\n" if self.is_pipelining else b"250 HELP\r\n"
            )
        if verb == "RSET":
            self._sender, self._recipient, self._is_refused = "", "", True
            return b"250 2.0.0 forgotten\r\n"
        if verb == "QUIT":
            self.is_closed = True
            return b"221 2.0.0 bye\r\n"
        return {"MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data}[verb](line)

    def _mail(self, line: str) -> bytes:
        if self._sender:
            return b"503 5.5.1 nested MAIL command\r\n"
        if "dropmail" in line:
            self.is_closed = True
            return b""
        if "refused" in line:
            return b"550 5.7.1 not from you\r\n"
        self._sender, self._is_refused = line, True
        return b"250 2.1.0 ok\r\n"

    def _rcpt(self, line: str) -> bytes:
        if not self._sender:
            return b"503 5.5.1 need MAIL command\r\n"
        self._recipient = line.partition("<")[2].partition(">")[0]
        if self._does == "droprcpt":
            self.is_closed = True
            return b""
        if self._does in ("rcpt", "rcpt354"):
            return b"550 5.1.1 no such user\r\n"
        self._is_refused = False
        return b"250 2.1.5 ok\r\n"

    def _data(self, _line: str) -> bytes:
        if self._does == "dropdata":
            self.is_closed = True
            return b""
        if self._does == "data":
            return b"451 4.3.0 not now\r\n"
        if self._is_refused and self._does != "rcpt354":
            return b"554 5.5.1 no valid recipients\r\n"
        self._is_content = True
        return b"354 go on\r\n"


@dataclass
class Scripted:
    """The server on its port; `talks` are its connections so far."""

    port: int
    talks: list[Talk] = field(default_factory=list)
    most_at_once: int = 0
    _open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def taken(self) -> list[str]:
        return [recipient for talk in self.talks for recipient, _mail in talk.taken]

    @property
    def ended(self) -> list[str]:
        return [recipient for talk in self.talks for recipient in talk.ended]

    def serve(
        self, sock: socket.socket, *, is_pipelining: bool, delay: float, greeting: bytes, gate: threading.Event
    ) -> None:
        talk = Talk(is_pipelining)
        with self._lock:
            self.talks.append(talk)
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        with suppress(OSError), sock:
            sock.sendall(greeting)
            while not talk.is_closed and greeting.startswith(b"220") and (data := sock.recv(65536)):
                said = talk.hear(data)
                time.sleep(delay)
                gate.wait()
                sock.sendall(said)
        with self._lock:
            self._open -= 1


@contextmanager
def scripted(
    *,
    is_pipelining: bool = True,
    delay: float = 0.0,
    greeting: bytes = b"220 here\r\n",
    gate: threading.Event | None = None,
) -> Iterator[Scripted]:
    """`gate`: nothing is answered before it is set."""
    if gate is None:
        gate = threading.Event()
        gate.set()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Scripted(listening.getsockname()[1])
        options = {"is_pipelining": is_pipelining, "delay": delay, "greeting": greeting, "gate": gate}

        def listen() -> None:
            with suppress(OSError):
                while True:
                    sock, _peer = listening.accept()
                    threading.Thread(target=found.serve, args=(sock,), kwargs=options, daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)
