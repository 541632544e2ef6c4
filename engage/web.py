"""The web server's worker: a request takes a thread once all of it is here, so who sends slowly keeps nobody waiting.

gunicorn's own threads read what a client sends, and wait for it: as many slow clients as there are threads stop every
page. Here the loop that accepts connections reads all of them at once, without waiting for any. For gunicorn's option
`--worker-class engage.web.PatientWorker`; it speaks HTTP/1.1 and leaves TLS to a proxy.
"""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from gunicorn import http  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

# Seconds from the first moment in which a client could send until the headers are here, and until the body is.
HEADER_SECONDS: Final = float(os.environ.get("REQUEST_HEADER_SECONDS") or 15)
BODY_SECONDS: Final = float(os.environ.get("REQUEST_BODY_SECONDS") or 300)
# A client that takes longer to read a piece of the answer than the system's own buffers can wait is let go.
ANSWER_SECONDS: Final = float(os.environ.get("RESPONSE_SECONDS") or 30)
MOST_OF_HEADERS: Final = 128 * 1024
# What is longer waits on the disk.
IN_MEMORY: Final = 128 * 1024
# The longest body that any page takes (engage/settings.py), and what a form puts around it. Of a longer one the
# application gets the headers, and refuses it.
LONGEST: Final = 2**20 + max(
    4 * int(os.environ.get("REPORT_MAX_BYTES") or 16 * 2**20), int(os.environ.get("IMPORT_MAX_BYTES") or 100 * 2**20)
)
# How long a connection that is closed from our side may take to be closed from the other, and how much it may send.
FAREWELL_SECONDS: Final = 2.0
AT_ONCE: Final = 64 * 1024
# Our pages fit in it, so writing them waits for nobody.
ANSWER_BUFFER: Final = 512 * 1024
_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_WAITS: Final = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue", re.IGNORECASE)


class Incoming:
    """A request as far as it is here. `is_whole`: nothing more is waited for; `is_cut`: though there is more."""

    is_begun = False

    def __init__(self, begun: bytes = b"") -> None:
        self._head = b""
        self._kept: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 -- given on
        self._has_head = self.is_whole = self.is_cut = self.wants_continue = False
        self._left = 0
        self._chunks: Chunks | None = None
        if begun:
            self.add(begun)

    @property
    def has_head(self) -> bool:
        return self._has_head

    def add(self, piece: bytes) -> None:
        self.is_begun = True
        self._kept.write(piece)
        if self._has_head:
            self._add_to_body(piece)
            return
        # The end of the headers may lie across two pieces.
        before = len(self._head)
        self._head += piece
        at = self._head.find(_END, max(0, before - len(_END)))
        if at >= 0:
            self._begin_body(self._head[: at + len(_END)], self._head[at + len(_END) :])
        elif len(self._head) > MOST_OF_HEADERS:
            self.is_whole = True  # gunicorn refuses it

    def _begin_body(self, head: bytes, rest: bytes) -> None:
        self._has_head, self._head = True, b""
        if _CHUNKED.search(head):
            self._chunks = Chunks()
        elif found := _LENGTH.search(head):
            self._left = int(found.group(1))
        self.wants_continue = _WAITS.search(head) is not None and not rest
        self._add_to_body(rest)

    def _add_to_body(self, piece: bytes) -> None:
        if self._chunks is not None:
            self._chunks.add(piece)
            self.is_whole = self._chunks.is_over
        else:
            self._left -= len(piece)
            self.is_whole = self._left <= 0
        if not self.is_whole and self._kept.tell() + max(0, self._left) > LONGEST:
            self.is_whole = self.is_cut = True

    def pieces(self) -> Iterator[bytes]:
        with self._kept as kept:
            kept.seek(0)
            while piece := kept.read(AT_ONCE):
                yield piece

    def close(self) -> None:
        self._kept.close()


class Farewell(Incoming):
    """What still comes on a connection that we have closed: passed over, so that our answer arrives (RFC 9112 9.6)."""

    def add(self, piece: bytes) -> None:
        """Nothing of it is wanted."""


class Chunks:
    """Follows a chunked body (RFC 9112 7.1) to its end; what is none is over, too, for gunicorn to refuse."""

    def __init__(self) -> None:
        self.is_over = False
        self._line, self._skip, self._in_trailers = b"", 0, False

    def add(self, piece: bytes) -> None:
        at = 0
        while at < len(piece) and not self.is_over:
            if self._skip:
                passed = min(self._skip, len(piece) - at)
                self._skip, at = self._skip - passed, at + passed
                continue
            end = piece.find(b"\n", at)
            self._line += piece[at : end + 1 if end >= 0 else len(piece)]
            at = end + 1 if end >= 0 else len(piece)
            if end >= 0:
                self._follow(self._line.strip())
                self._line = b""
            elif len(self._line) > MOST_OF_HEADERS:
                self.is_over = True

    def _follow(self, line: bytes) -> None:
        if self._in_trailers:
            self.is_over = not line
            return
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            self.is_over = True
            return
        # The chunk and the line's end behind it.
        self._skip, self._in_trailers = (size + 2, False) if size > 0 else (0, True)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Reads requests in its loop, and gives a thread those that are whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What is being read, the longest first: until when, and what is here.
        self.reading: dict[TConn, tuple[float, Incoming]] = {}
        # Those of whose request there is more than was read: it cannot be told from the next one.
        self.cut: set[TConn] = set()

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        with suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ANSWER_BUFFER)
        self.nr_conns += 1
        self.read(TConn(self.cfg, client, address, listener.getsockname()))
        # There is always room for one more: who has taken longest gives way.
        if self.nr_conns >= self.worker_connections and self.reading:
            self.let_go(next(iter(self.reading)))

    def read(self, conn: TConn, begun: bytes = b"") -> None:
        conn.sock.setblocking(False)
        incoming = Incoming(begun)
        if incoming.is_whole:
            self.give_thread(conn, incoming)
            return
        seconds = BODY_SECONDS if incoming.has_head else HEADER_SECONDS
        self.reading[conn] = time.monotonic() + seconds, incoming
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_more, conn))

    def on_more(self, conn: TConn, client: socket.socket) -> None:
        until, incoming = self.reading[conn]
        had_head = incoming.has_head
        try:
            piece = client.recv(AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        if not piece:
            self.let_go(conn)
            return
        incoming.add(piece)
        if incoming.is_whole:
            del self.reading[conn]
            self.poller.unregister(client)
            self.give_thread(conn, incoming)
        elif incoming.has_head and not had_head:
            self.reading[conn] = until - HEADER_SECONDS + BODY_SECONDS, incoming
            if incoming.wants_continue:
                with suppress(OSError):
                    client.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def give_thread(self, conn: TConn, incoming: Incoming) -> None:
        conn.parser = http.get_parser(self.cfg, incoming.pieces(), conn.client)
        conn.initialized = conn.data_ready = True
        if incoming.is_cut:
            self.cut.add(conn)
        self.enqueue_req(conn)

    def let_go(self, conn: TConn) -> None:
        _until, incoming = self.reading.pop(conn)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        incoming.close()
        self.nr_conns -= 1
        conn.close()

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self.read(conn)

    def murder_pending(self) -> None:
        super().murder_pending()
        now = time.monotonic()
        for conn in [
            conn
            for conn, (until, incoming) in self.reading.items()
            if until <= now or not (self.alive or incoming.is_begun)
        ]:
            self.let_go(conn)

    def handle_request(self, req: Any, conn: TConn) -> bool:
        conn.sock.settimeout(ANSWER_SECONDS)
        if conn in self.cut:
            req.force_close()
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError as error:
            self.log.debug("Let go a client that does not read: %s", error)
            raise StopIteration from error

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Go on with what was sent ahead of the next request, or say good-bye without waiting for the other side."""
        self.cut.discard(conn)
        if fs.cancelled() or fs.exception() or not fs.result():
            self.say_goodbye(conn)
        elif ahead := conn.parser.unreader.take_buffered() + b"".join(iter(conn.parser.unreader.chunk, b"")):
            self.read(conn, ahead)
        else:
            super().finish_request(conn, fs)

    def say_goodbye(self, conn: TConn) -> None:
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_more, conn))
        except (OSError, ValueError):
            self.nr_conns -= 1
            conn.close()
        else:
            self.reading[conn] = time.monotonic() + FAREWELL_SECONDS, Farewell()
