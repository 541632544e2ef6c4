"""Staying connected: whatever ends a session, another one begins, later and later while that goes wrong."""

import logging
import random
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import Final

from engage.frames import roomy

log: Final = logging.getLogger(__name__)

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
# A session that lasted so long was a good one: the next wait is the first again.
GOOD_SESSION_SECONDS: Final = 60.0


class EndedError(Exception):
    """The session is over, or never came about. The message says why, and what to do; it holds no secret.

    It is raised from what brought it about, where that is an error, too.
    """


class PeerRefusedError(EndedError):
    """The other side does not want us; to ask again soon will not help, and may close the account."""


@roomy
def stay(name: str, session: Callable[[], None], stop: Event) -> None:
    """Until `stop` is set. Never raises: the other connections, and this one's next session, go on.

    `session` goes from the first byte to the last, and raises EndedError.
    """
    tries = 0
    while not stop.is_set():
        began = monotonic()
        is_refused = _is_refused(name, session)
        if stop.is_set():
            return
        tries = 0 if monotonic() - began > GOOD_SESSION_SECONDS else tries + 1
        wait = LONGEST_WAIT_SECONDS if is_refused else wait_seconds(tries)
        log.info("%s: trying again in %.1f seconds.", name, wait)
        stop.wait(wait)


def wait_seconds(tries: int) -> float:
    """Doubled with each try, and by chance up to a half less, so that not all come back at once."""
    longest = min(FIRST_WAIT_SECONDS * 2.0 ** min(tries, 10), LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 -- no secret


def _is_refused(name: str, session: Callable[[], None]) -> bool:
    try:
        session()
    except PeerRefusedError as error:
        log.error("%s: %s.", name, error)
        return True
    except EndedError as error:
        log.warning("%s: %s.", name, error)
    except Exception:
        log.exception("%s: a fault of ours ended the session.", name)
    return False
