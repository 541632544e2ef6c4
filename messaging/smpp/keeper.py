"""Keeps connections bound, each in a thread of its own."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from threading import Event, Thread
from typing import Final

from django.db import connections as databases

from messaging.smpp.connections import Connection
from messaging.smpp.inbox import Inbox
from messaging.smpp.line import open_line
from messaging.smpp.pdus import GarbageError
from messaging.smpp.sender import Sender
from messaging.smpp.session import Session
from messaging.staying import EndedError, stay

log: Final = logging.getLogger(__name__)


def keep_all_bound(
    connections: Iterable[Connection], stop: Event, sends: Callable[[str], bool] = lambda _name: False
) -> list[Thread]:
    """A thread for each connection, started; they end once `stop` is set. `sends`: whether SMS leave over that one."""
    threads = [
        Thread(
            target=stay,
            args=(f"SMPP {each.name}", partial(_session, each, stop, sends=sends(each.name)), stop),
            name=each.name,
        )
        for each in connections
    ]
    for thread in threads:
        thread.start()
    return threads


def _session(connection: Connection, stop: Event, *, sends: bool) -> None:
    """From the first byte to the last. Raises EndedError."""
    try:
        _run(connection, stop, sends=sends)
    except GarbageError as error:
        raise EndedError(f"what came is no SMPP: {error}") from error
    finally:
        databases.close_all()


def _run(connection: Connection, stop: Event, *, sends: bool) -> None:
    line = open_line(connection)
    sender: Sender | None = None
    try:
        session = Session(connection, line, Inbox(connection.name), stop)
        session.bind()
        log.info("SMPP %s: bound to %s:%d.", connection.name, connection.host, connection.port)
        if sends:
            sender = Sender(connection, session.window, stop)
            sender.start()
        session.serve(lambda: sender is not None and sender.is_alive())
        session.unbind()
        log.info("SMPP %s: unbound.", connection.name)
    finally:
        line.close()
        if sender is not None:
            # What was on its way is in doubt now; it is written down before the next session begins.
            sender.window.end()
            sender.join()
