"""The line to an SMSC: TCP or TLS, PDUs in, bytes out."""

import select
import socket
import ssl
from threading import Lock
from time import monotonic
from typing import Final

from messaging.incoming.reconnect import EndedError
from messaging.smpp.connections import Connection
from messaging.smpp.pdus import take_from

CONNECT_SECONDS: Final = 10.0
SEND_SECONDS: Final = 30.0
READ_BYTES: Final = 64 * 1024
# What is read in one go, and so committed together, at most: about 1,500 receipts.
MOST_BYTES: Final = 256 * 1024


class SmscLine:
    """A connected socket. One thread receives; any may send."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._buffer = bytearray()
        # PDUs of two threads must not mix; and TLS cannot be read and written at the very same time.
        self._sending, self._using = Lock(), Lock()
        self.heard_at = monotonic()

    def receive(self, seconds: float) -> list[bytes]:
        """All whole PDUs that have come, waiting up to `seconds` for a first byte. Raises EndedError, GarbageError."""
        try:
            if not self._is_readable(seconds):
                return []
            self._read_what_is_there()
        except OSError as error:
            raise EndedError(f"the line broke ({_why(error)})") from error
        pdus = take_from(self._buffer)
        if pdus:
            self.heard_at = monotonic()
        return pdus

    def _is_readable(self, seconds: float) -> bool:
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        return bool(select.select([self._socket], [], [], seconds)[0])

    def _read_what_is_there(self) -> None:
        read = 0
        while read < MOST_BYTES:
            try:
                with self._using:
                    part = self._socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if not part:
                # What came before the end is heeded first; the next look finds the end again.
                if read:
                    return
                raise EndedError("the SMSC closed the line")
            self._buffer += part
            read += len(part)

    def send(self, pdus: bytes) -> None:
        """Raises EndedError; then nobody knows how much of it has left."""
        until = monotonic() + SEND_SECONDS
        with self._sending:
            left = memoryview(pdus)
            try:
                while left:
                    left = left[self._sent(left) :]
                    if left and not self._is_writable(until - monotonic()):
                        raise EndedError("the SMSC reads nothing any more")
            except OSError as error:
                raise EndedError(f"the line broke ({_why(error)})") from error

    def _sent(self, octets: memoryview) -> int:
        try:
            with self._using:
                return self._socket.send(octets)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def _is_writable(self, seconds: float) -> bool:
        # TLS may have to read before it can write; whoever receives does that.
        return bool(select.select([], [self._socket], [], max(0, seconds))[1]) and seconds > 0

    def close(self) -> None:
        self._socket.close()


def open_line(connection: Connection) -> SmscLine:
    """Raises EndedError, with what to do."""
    place = f"{connection.host}:{connection.port}"
    try:
        connected = socket.create_connection((connection.host, connection.port), CONNECT_SECONDS)
    except socket.gaierror as error:
        raise EndedError(f"there is no host {connection.host!r}; correct it in SMPP_URLS") from error
    except ConnectionRefusedError as error:
        raise EndedError(
            f"{place} takes no connections; check the port, and ask the operator whether the SMSC is running"
        ) from error
    except OSError as error:
        raise EndedError(
            f"{place} cannot be reached ({_why(error)}); look at firewalls, and ask the operator whether our address "
            "is on their list"
        ) from error
    # An answer is small, and the SMSC waits for it: without this each round trip takes 40 ms.
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SmscLine(_encrypted(connected, connection) if connection.is_encrypted else connected)


def _encrypted(connected: socket.socket, connection: Connection) -> socket.socket:
    try:
        context = ssl.create_default_context(cafile=connection.ca or None)
        return context.wrap_socket(connected, server_hostname=connection.host)
    except ssl.SSLCertVerificationError as error:
        connected.close()
        raise EndedError(
            f"the certificate of {connection.host} is not trusted ({error.verify_message}); name the operator's own "
            "with ca=/path/to/ca.pem in SMPP_URLS"
        ) from error
    except OSError as error:
        connected.close()
        raise EndedError(
            f"no TLS with {connection.host}:{connection.port} ({_why(error)}); smpps:// needs its TLS port"
        ) from error


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
