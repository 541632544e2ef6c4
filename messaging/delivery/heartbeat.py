"""That a worker lives, told while it has messages in hand: by a thread of its own, so that a slow server, for which it
waits, does not make it look dead.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Final

from django.db import connections

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 5.0
# Whoever has not been heard of for so long is dead, or as good as that: others go on with what it had.
SILENT_AFTER: Final = timedelta(seconds=30)


@contextmanager
def beating(tell: Callable[[], object]) -> Iterator[None]:
    """Call `tell` every few seconds while the block lasts, in another thread. A short block costs no query.

    While the database is away it goes on trying: then nobody else can take anything up, either.
    """
    stop = Event()
    thread = Thread(target=_beat, args=(tell, stop), name="heart", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(tell: Callable[[], object], stop: Event) -> None:
    try:
        while not stop.wait(BEAT_SECONDS):
            try:
                tell()
            except Exception as error:  # noqa: BLE001 -- whatever ails the database, it may be back the next time
                log.warning("The heartbeat of hand-over could not be told (%s).", type(error).__name__)
                connections.close_all()
    finally:
        connections.close_all()
