"""The running product for the bench: its web server and workers as `make run` starts them, on the bench's database."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import psutil

from bench import place
from engage.local import run

ENGAGE: Final = "engage.wsgi:application"
BESIDE: Final = "bench.beside.wsgi:application"
MEGABYTE: Final = 1_000_000


@contextmanager
def web(application: str = ENGAGE) -> Iterator[int]:
    """A web server for the block. Gives its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    os.environ["PORT"] = str(port)
    command = [application if part == ENGAGE else part for part in run.web()]
    with ExitStack() as running:
        started = run.start_service("web", command, place.FOLDER)
        running.callback(started.stop)
        run.wait_for_web([started, started])
        yield port


@contextmanager
def workers() -> Iterator[psutil.Process]:
    """The Celery workers and the beat for the block. Gives the workers' first process."""
    with ExitStack() as running:
        started = []
        for name, command in (("worker", run.worker()), ("beat", run.beat())):
            started.append(run.start_service(name, command, place.FOLDER))
            running.callback(started[-1].stop)
        yield psutil.Process(started[0].process.pid)


def largest(parent: psutil.Process) -> float:
    """The resident megabytes of the largest process that `parent` started."""
    return max((child.memory_info().rss for child in parent.children(recursive=True)), default=0) / MEGABYTE
