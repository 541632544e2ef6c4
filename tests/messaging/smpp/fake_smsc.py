"""A strict little SMSC for nasty moments: it takes only what SMPP 3.4 allows, and sends whatever a test wants."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from tests.messaging.smpp.pdus import pdu

BIND, BIND_RESP, UNBIND, UNBIND_RESP = 0x00000009, 0x80000009, 0x00000006, 0x80000006
ENQUIRE, ENQUIRE_RESP, NACK = 0x00000015, 0x80000015, 0x80000000
DELIVER_RESP, DATA_RESP = 0x80000005, 0x80000103
OK, TEMPORARY = 0x00, 0x64
PATIENCE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Said:
    """A PDU of the client's."""

    command: int
    status: int
    sequence: int
    body: bytes


class Client:
    """One connection of a client."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE_SECONDS)

    def send(self, *sent: bytes) -> None:
        self.socket.sendall(b"".join(sent))

    def hear(self) -> Said:
        """The next PDU. Raises ConnectionError where the client has closed the line."""
        length, command, status, sequence = struct.unpack(">IIII", self._octets(16))
        assert 16 <= length < 1000, length
        assert 1 <= sequence <= 0x7FFFFFFF
        return Said(command, status, sequence, self._octets(length - 16))

    def expect(self, command: int, status: int = OK) -> Said:
        said = self.hear()
        assert (hex(said.command), hex(said.status)) == (hex(command), hex(status))
        return said

    def expect_answers(self, command: int, *sequences: int, status: int = OK) -> None:
        """To each of our requests one, with a message_id of nothing (4.6.2)."""
        heard = [self.expect(command, status) for _ in sequences]
        assert sorted(each.sequence for each in heard) == sorted(sequences)
        assert all(each.body == b"\0" for each in heard)

    def expect_the_end(self) -> None:
        with suppress(ConnectionResetError):
            assert self.socket.recv(1) == b""

    def answer(self, said: Said, body: bytes = b"", status: int = OK) -> None:
        self.send(pdu(said.command | 0x80000000, body, status=status, sequence=said.sequence))

    def hear_bind(self) -> tuple[Said, list[bytes]]:
        """4.1.5: system_id, password, system_type, version 3.4, TON, NPI, address_range."""
        said = self.expect(BIND)
        names = said.body.split(b"\0", 3)
        assert names[3][:1] == b"\x34"
        assert said.body.endswith(b"\0")
        return said, names[:3]

    def bind(self) -> None:
        said, _ = self.hear_bind()
        self.answer(said, b"fake\0")

    def _octets(self, number: int) -> bytes:
        found = b""
        while len(found) < number:
            part = self.socket.recv(number - len(found))
            if not part:
                raise ConnectionError("the client closed the line")
            found += part
        return found


class FakeSmsc:
    """Listens on a port of its own; `tls` makes it `smpps`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE_SECONDS)
        self._tls = tls

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    @contextmanager
    def client(self) -> Iterator[Client]:
        """The next that connects."""
        connected, _ = self._listening.accept()
        with closing(self._tls.wrap_socket(connected, server_side=True) if self._tls else connected) as line:
            yield Client(line)

    def close(self) -> None:
        self._listening.close()
