"""What blocks, done by threads of its own: looking up servers, opening connections. One thread takes up what comes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from socket import socketpair


class Background:
    """Has threads do work; what each returns is called by the thread that calls `take_up`. Close it.

    `ear` becomes readable whenever there is something to take up.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._workers: ThreadPoolExecutor | None = None
        self.under_way = 0
        self._results: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._bell, self.ear = socketpair()
        self._bell.setblocking(False)
        self.ear.setblocking(False)

    def close(self) -> None:
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)
        self._bell.close()
        self.ear.close()

    def have(self, done: Callable[[], Callable[[], None]]) -> None:
        """Have a thread do it; what it returns is called by the thread that talks."""
        self._workers = self._workers or ThreadPoolExecutor(self._threads, thread_name_prefix="smtp")
        self.under_way += 1
        self._workers.submit(self._do, done)

    def _do(self, done: Callable[[], Callable[[], None]]) -> None:
        try:
            self._results.put(done())
        except BaseException as error:  # noqa: BLE001 -- raised again where somebody hears it
            self._results.put(partial(_raise, error))
        with suppress(OSError):
            self._bell.send(b"!")

    def take_up(self) -> None:
        """Call what the threads have returned. Raises what one of them ran into."""
        self.ear.recv(4096)
        while True:
            try:
                result = self._results.get_nowait()
            except Empty:
                return
            self.under_way -= 1
            result()


def _raise(error: BaseException) -> None:
    raise error
