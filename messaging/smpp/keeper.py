"""Keeps connections bound, each in a thread of its own."""

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from threading import Event, Lock, Thread
from typing import Final

from django.db import DatabaseError
from django.db import connections as databases

from messaging.delivery import absence
from messaging.delivery.away import Away, AwayCause, cause_of
from messaging.incoming.reconnect import EndedError, PeerRefusedError, stay
from messaging.providers.smpp.reports import SLUG
from messaging.smpp.connections import Connection
from messaging.smpp.inbox import PduWriter
from messaging.smpp.line import open_line
from messaging.smpp.pdus import GarbageError
from messaging.smpp.sender import Sender
from messaging.smpp.session import SmppSession

log: Final = logging.getLogger(__name__)


class Bound:
    """Over which connections SMS can leave now: where there is none, that way out is away. For several threads."""

    def __init__(self) -> None:
        self._names, self._lock = set[str](), Lock()

    def begins(self, name: str) -> None:
        with self._lock:
            self._names.add(name)
            _note(absence.end, SLUG)

    def ends(self, name: str) -> None:
        with self._lock:
            self._names.discard(name)

    def fails(self, name: str, error: EndedError) -> None:
        with self._lock:
            if not self._names:
                _note(absence.begin, SLUG, Away(_cause_of(error), f"{name}: {error}"))


def _note(note: Callable[..., None], *what: object) -> None:
    """Where the database is away, too, the connections matter more."""
    with suppress(DatabaseError):
        note(*what)


def _cause_of(error: EndedError) -> AwayCause:
    if isinstance(error, PeerRefusedError):
        return AwayCause.LOGIN
    return cause_of(error.__cause__) if error.__cause__ is not None else AwayCause.UNWILLING


def keep_all_bound(
    connections: Iterable[Connection], stop: Event, sends: Callable[[str], bool] = lambda _name: False
) -> list[Thread]:
    """A thread for each connection, started; they end once `stop` is set. `sends`: whether SMS leave over that one."""
    bound = Bound()
    threads = [
        Thread(
            target=stay,
            args=(f"SMPP {each.name}", partial(_session, each, stop, bound if sends(each.name) else None), stop),
            name=each.name,
        )
        for each in connections
    ]
    for thread in threads:
        thread.start()
    return threads


def _session(connection: Connection, stop: Event, bound: Bound | None) -> None:
    """From the first byte to the last; `bound` where SMS leave over it. Raises EndedError."""
    try:
        _run(connection, stop, bound)
    except GarbageError as error:
        raise EndedError(f"what came is no SMPP: {error}") from error
    finally:
        databases.close_all()


def _run(connection: Connection, stop: Event, bound: Bound | None) -> None:
    sender: Sender | None = None
    with ExitStack() as at_its_end:
        try:
            line = open_line(connection)
            at_its_end.callback(line.close)
            session = SmppSession(connection, line, PduWriter(connection.name), stop)
            session.bind()
        except EndedError as error:
            if bound is not None and not stop.is_set():
                bound.fails(connection.name, error)
            raise
        log.info("SMPP %s: bound to %s:%d.", connection.name, connection.host, connection.port)
        if bound is not None:
            bound.begins(connection.name)
            at_its_end.callback(bound.ends, connection.name)
            sender = Sender(connection, session.window, stop)
            # What was on its way is in doubt then; it is written down before the next session begins.
            at_its_end.callback(sender.join)
            at_its_end.callback(sender.window.end)
            at_its_end.callback(line.close)
            sender.start()
        session.serve(lambda: sender is not None and sender.is_alive())
        session.unbind()
        log.info("SMPP %s: unbound.", connection.name)
