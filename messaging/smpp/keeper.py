"""Keeps connections bound, each in a thread of its own."""

import logging
from collections.abc import Iterable
from functools import partial
from threading import Event, Thread
from typing import Final

from django.db import connections as databases

from messaging.smpp.connections import Connection
from messaging.smpp.inbox import Inbox
from messaging.smpp.line import open_line
from messaging.smpp.pdus import GarbageError
from messaging.smpp.session import Session
from messaging.staying import EndedError, stay

log: Final = logging.getLogger(__name__)


def keep_all_bound(connections: Iterable[Connection], stop: Event) -> list[Thread]:
    """A thread for each connection, started; they end once `stop` is set."""
    threads = [
        Thread(target=stay, args=(f"SMPP {each.name}", partial(_session, each, stop), stop), name=each.name)
        for each in connections
    ]
    for thread in threads:
        thread.start()
    return threads


def _session(connection: Connection, stop: Event) -> None:
    """From the first byte to the last. Raises EndedError."""
    try:
        _run(connection, stop)
    except GarbageError as error:
        raise EndedError(f"what came is no SMPP: {error}") from error
    finally:
        databases.close_all()


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
