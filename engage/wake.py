"""Waking a worker: having a task done soon that the beat would do anyway, by the task's name.

What is due lies in PostgreSQL, so a broker that is away costs some seconds and loses nothing. Since a task is only
named, whoever wakes a worker does not import what the worker will do.
"""

import logging
import threading
import time
from collections.abc import Callable

from celery import current_app

log = logging.getLogger(__name__)


def wake(task: str, *arguments: object, expires: float | None = None) -> bool:
    """Have a worker run the task of this full name soon; not after `expires` seconds. Returns whether the broker took
    it; where not, the log says so, and the beat finds what is due."""
    try:
        send(task, *arguments, expires=expires)
    except Exception as error:  # noqa: BLE001 -- whatever ails the broker, what is due stands in the database
        log.warning("The broker cannot be reached (%s); the beat will have it done.", type(error).__name__)
        return False
    return True


def send(task: str, *arguments: object, expires: float | None = None) -> None:
    """Put the task of this full name into the queue. Raises OperationalError (kombu) where the broker is away."""
    current_app.send_task(task, arguments, expires=expires)


class Waker:
    """Wakes workers for web requests, which do not wait for the broker: many ask, and one call is enough for all.

    Calls `send` from a thread of its own: at once, then once in `pause` seconds for all who asked meanwhile. Whoever
    asks is heard after they asked, unless the process ends before: then the beat finds what is there.
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
                    self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while self._asked.wait():
            self._asked.clear()
            self._send()
            time.sleep(self._pause)
