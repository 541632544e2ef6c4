"""Nudging a worker from a web request, which does not wait for the broker: many ask, and one nudge is enough."""

import threading
import time
from collections.abc import Callable


class Nudges:
    """Calls `send` from a thread of its own: at once, then once in `pause` seconds for all who asked meanwhile.

    Whoever asks is heard after they asked, unless the process ends before: then the beat finds what is there.
    """

    def __init__(self, send: Callable[[], None], pause: float) -> None:
        self._send = send
        self._pause = pause
        self._asked = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        self._asked.set()
        # A forked process has this object, and not its thread.
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="nudges", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while self._asked.wait():
            self._asked.clear()
            self._send()
            time.sleep(self._pause)
