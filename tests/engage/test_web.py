"""Clients that send or read slowly keep nobody waiting."""

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic, sleep

import pytest

from engage.local import run
from engage.local.bootstrap import BASE_DIR
from engage.web import Chunks, Incoming

MANY = 40  # threads are eight

HEAD = b"POST /webhooks/sendgrid/ HTTP/1.1\r\nHost: localhost\r\n"
SLOW = {
    "one byte of a body": HEAD + b"Content-Length: 100000\r\n\r\nx",
    "half of the headers": HEAD + b"X-Half:",
    "nothing": b"",
    "a chunk without end": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\nx",
    "a false end of chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n0\r\n\r\n",
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    command = [f"127.0.0.1:{number}" if before == "--bind" else part for before, part in pairs(run.web())]
    with subprocess.Popen([sys.executable, *command], cwd=BASE_DIR, stderr=subprocess.DEVNULL) as server:
        try:
            until = monotonic() + 120
            while monotonic() < until and server.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", number), 1).close()
                    break
                except OSError:
                    sleep(0.1)
            yield number
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def pairs(parts: list[str]) -> list[tuple[str, str]]:
    return list(zip(["", *parts], parts, strict=False))


def asked(port: int, method: str = "GET", path: str = "/healthz", body: bytes | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers={"Host": "localhost"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize("slow", SLOW)
def test_more_slow_clients_than_threads_keep_nobody_waiting(slow: str, port: int) -> None:
    with ExitStack() as held:
        for _ in range(MANY):
            client = held.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            client.sendall(SLOW[slow])

        assert asked(port) == 200


def test_clients_that_never_read_keep_nobody_waiting(port: int) -> None:
    with ExitStack() as held:
        for _ in range(MANY):
            client = held.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

        assert asked(port) == 200


def test_a_body_that_comes_byte_by_byte_is_answered_once_it_is_whole(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        for byte in HEAD + b"Content-Length: 5\r\n\r\nhello":
            client.sendall(bytes([byte]))
        assert client.recv(100).startswith(b"HTTP/1.1 ")


def test_requests_sent_ahead_are_all_answered(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = b""
        while piece := client.recv(10_000):
            said += piece
    assert said.count(b"HTTP/1.1 200 ") == 3


def test_a_body_longer_than_any_page_takes_is_refused_without_reading_it(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(HEAD + b"Content-Length: 99999999999\r\n\r\nx")
        answer = client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 ")
    assert b"Connection: close" in answer


@pytest.mark.parametrize("body", [b"Content-Length: 5\r\n\r\nhello", b"Content-Length: 0\r\n\r\n", b"\r\n"])
def test_a_request_is_whole_with_its_last_byte_and_no_earlier(body: bytes) -> None:
    incoming, said = Incoming(), HEAD + body
    for number, byte in enumerate(said):
        assert not incoming.is_whole, said[:number]
        incoming.add(bytes([byte]))
    assert incoming.is_whole
    assert b"".join(incoming.pieces()) == said


@pytest.mark.parametrize("said", [b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\n0\r\n\r\n\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_chunked_body_is_followed_to_its_end(said: bytes, size: int) -> None:
    chunks = Chunks()
    for at in range(0, len(said), size):
        assert not chunks.is_over
        chunks.add(said[at : at + size])
    assert chunks.is_over
