"""What must be written down, as it has happened: tried until the database is there again."""

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from django.db import InterfaceError, OperationalError, connection

log = logging.getLogger(__name__)

Done = TypeVar("Done")

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
# A database that is away for longer than this is a matter for people; what was in hand is in doubt then.
PATIENCE_SECONDS: Final = 3600.0


def insist(write: Callable[[], Done]) -> Done:
    """The result of `write`, a transaction, called again while PostgreSQL is away, goes down or breaks the line.

    It must come to the same if it was committed the time before, and only the answer was lost. Within a transaction of
    somebody else's it is called once.
    """
    pause, until = FIRST_PAUSE_SECONDS, time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() >= until:
                raise
            log.warning(
                "PostgreSQL does not take what became of messages (%s); trying again in %.1f s.",
                type(error).__name__, pause,
            )  # fmt: skip
        connection.close()
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
