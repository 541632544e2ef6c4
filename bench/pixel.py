"""The pixel of opened mails over HTTP, each of another message, against a view that does nothing but answer with it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from django.core.management import call_command

from bench import data, product
from bench.figures import Figure, median_ratio, medians, say
from bench.ingest import one
from messaging.tracking.tokens import Purpose, token_of
from messaging.tracking.views import PIXEL

ROUNDS: Final = 3
WINDOW_SECONDS: Final = 6.0
# As many as the web server has threads.
CONNECTIONS: Final = 8
HEAD: Final = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: image/*\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0\r\n\r\n"
)


def measure(messages: int) -> Iterator[Figure]:
    reset = data.loaded(messages)
    reset()
    call_command("collectstatic", "--no-input", verbosity=0)
    rates: dict[str, list[float]] = {"engage": [], "nothing": []}
    for number in range(1, ROUNDS + 1):
        reset()
        before = int(one("SELECT count(*) FROM messaging_report"))
        with product.web() as port:
            asked, rate = _ask(port, lambda n: f"/o/{token_of(1 + n * 7919 % messages, Purpose.OPEN)}.gif")
        rates["engage"].append(rate)
        kept = int(one("SELECT count(*) FROM messaging_report")) - before
        if kept != asked:
            raise AssertionError(f"{asked} pixels were loaded, {kept} are kept")
        with product.web(product.BESIDE) as port:
            rates["nothing"].append(_ask(port, lambda _: "/pixel.gif")[1])
        say(f"round {number} of {ROUNDS}: {rates['engage'][-1]:,.0f} vs {rates['nothing'][-1]:,.0f} pixels/s")
    detail: dict[str, object] = {
        "messages": messages, "connections": CONNECTIONS, "rounds": ROUNDS, "per_second": medians(rates),
        "of_a_view_that_does_nothing": round(median_ratio(rates["engage"], rates["nothing"]), 2),
    }  # fmt: skip
    yield Figure("pixel_per_second", medians(rates)["engage"], "per second", detail)


def _ask(port: int, path_of: Callable[[int], str]) -> tuple[int, float]:
    """How many were asked for, and how many that is a second. Raises AssertionError on any other answer."""
    numbers, done, errors = count(1), [0] * CONNECTIONS, list[str]()
    start = time.perf_counter()

    def work(place: int) -> None:
        # By hand: http.client would take more of the machine than what is measured.
        with socket.create_connection(("127.0.0.1", port), 60) as asked:
            while time.perf_counter() - start < WINDOW_SECONDS and not errors:
                asked.sendall(HEAD.format(path=path_of(next(numbers))).encode())
                answer = b""
                while not answer.endswith(PIXEL) and (piece := asked.recv(4096)):
                    answer += piece
                if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(PIXEL):
                    errors.append(answer[:80].decode("latin-1"))
                done[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise AssertionError(f"a pixel was answered by {errors[0]!r}")
    return sum(done), sum(done) / (time.perf_counter() - start)
