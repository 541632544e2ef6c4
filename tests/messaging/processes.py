"""Our commands as processes of their own, and how to wait for them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from django.db import connection

from engage.local.bootstrap import BASE_DIR

PATIENCE_SECONDS = 20


class Process:
    """A process, and what it has said so far."""

    def __init__(self, log: Path, *command: str, **environment: str) -> None:
        self.log = log
        with log.open("ab") as said:
            self.running = subprocess.Popen(
                [sys.executable, *command],
                cwd=BASE_DIR,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def wait_for(self, words: str, times: int = 1) -> None:
        wait_for(lambda: self.log.read_text().count(words) >= times or self.running.poll() is not None)
        assert self.log.read_text().count(words) >= times, self.log.read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.running.send_signal(number)
        return self.running.wait(PATIENCE_SECONDS)


def is_somebody_waiting_for_the_table() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE relation = 'messaging_report'::regclass AND NOT granted")
        return bool(cursor.fetchone()[0])


def wait_for(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    until = monotonic() + seconds
    while not is_so() and monotonic() < until:
        sleep(0.05)
