"""Keeps a connection bound: whatever ends a session, another one begins, later and later while that goes wrong."""

import logging
import random
from collections.abc import Iterable
from threading import Event, Thread
from time import monotonic
from typing import Final

from django.db import connections as databases

from messaging.smpp.connections import Connection
from messaging.smpp.inbox import Inbox
from messaging.smpp.line import EndedError, open_line
from messaging.smpp.pdus import GarbageError
from messaging.smpp.session import RefusedError, Session

log: Final = logging.getLogger(__name__)

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
# A session that lasted so long was a good one: the next wait is the first again.
GOOD_SESSION_SECONDS: Final = 60.0


def keep_all_bound(connections: Iterable[Connection], stop: Event) -> list[Thread]:
    """A thread for each connection, started; they end once `stop` is set."""
    threads = [Thread(target=keep_bound, args=(each, stop), name=each.name) for each in connections]
    for thread in threads:
        thread.start()
    return threads


def keep_bound(connection: Connection, stop: Event) -> None:
    """Until `stop` is set. Never raises: the other connections, and this one's next session, go on."""
    tries = 0
    while not stop.is_set():
        began = monotonic()
        is_refused = _session(connection, stop)
        if stop.is_set():
            return
        tries = 0 if monotonic() - began > GOOD_SESSION_SECONDS else tries + 1
        wait = LONGEST_WAIT_SECONDS if is_refused else wait_seconds(tries)
        log.info("SMPP %s: trying again in %.1f seconds.", connection.name, wait)
        stop.wait(wait)


def wait_seconds(tries: int) -> float:
    """Doubled with each try, and by chance up to a half less, so that not all come back at once."""
    longest = min(FIRST_WAIT_SECONDS * 2.0 ** min(tries, 10), LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 -- no secret


def _session(connection: Connection, stop: Event) -> bool:
    """From the first byte to the last. Returns whether the SMSC refused us."""
    name = connection.name
    try:
        _run(connection, stop)
    except RefusedError as error:
        log.error("SMPP %s: %s.", name, error)
        return True
    except EndedError as error:
        log.warning("SMPP %s: %s.", name, error)
    except GarbageError as error:
        log.warning("SMPP %s: what came is no SMPP: %s.", name, error)
    except Exception:
        log.exception("SMPP %s: a fault of ours ended the session.", name)
    finally:
        databases.close_all()
    return False


def _run(connection: Connection, stop: Event) -> None:
    line = open_line(connection)
    try:
        session = Session(connection, line, Inbox(connection.name), stop)
        session.bind()
        log.info("SMPP %s: bound to %s:%d.", connection.name, connection.host, connection.port)
        session.serve()
        session.unbind()
        log.info("SMPP %s: unbound.", connection.name)
    finally:
        line.close()
