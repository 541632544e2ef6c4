"""Keeps the mails of all sessions in one thread, all that wait in one commit: one mail a commit would be too slow."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, NamedTuple

from django.db import Error, connection, connections

from messaging.inbox import hourly_counts
from messaging.inbox.reports import Kept
from messaging.inbox.writer import ReportWriter
from messaging.incoming.room import Room

log: Final = logging.getLogger(__name__)

# Kept in one commit at most, unless a single mail is longer.
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_MAILS: Final = 500


class IntakeAnswer(Enum):
    """What became of a mail."""

    KEPT = "committed"
    NOT_NOW = "the database takes nothing"
    NO_ROOM = "too much waits to be read"


class Waiting(NamedTuple):
    """A mail, and who waits to hear what became of it."""

    kept: Kept
    answer: "Future[IntakeAnswer]"


class Clerk:
    """The thread, and the way to it."""

    def __init__(self, inbox: ReportWriter) -> None:
        self._inbox = inbox
        self._room = Room()
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._held: Waiting | None = None
        self._thread = Thread(target=self._run, name="clerk", daemon=True)
        self._thread.start()

    def keep(self, kept: Kept) -> "Future[IntakeAnswer]":
        """Once it is known. From any thread."""
        waiting = Waiting(kept, Future())
        self._queue.put(waiting)
        return waiting.answer

    def close(self) -> None:
        """Once what waits is kept."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            for batch in self._batches():
                self._keep(batch)
        finally:
            connections.close_all()

    def _keep(self, batch: list[Waiting]) -> None:
        is_let_in = [self._room.takes(each.kept) for each in batch]
        let_in = [each for each, is_in in zip(batch, is_let_in, strict=True) if is_in]
        put_off = [each for each, is_in in zip(batch, is_let_in, strict=True) if not is_in]
        if put_off:
            _count(len(put_off))
            _answer(put_off, IntakeAnswer.NO_ROOM)
        if let_in:
            is_kept = self._is_kept(let_in)
            _answer(let_in, IntakeAnswer.KEPT if is_kept else IntakeAnswer.NOT_NOW)
            if is_kept:
                self._inbox.wake_worker()

    def _is_kept(self, batch: Sequence[Waiting]) -> bool:
        try:
            return self._inbox.keep_all(each.kept for each in batch)
        except Exception:
            # A fault of ours must not end the thread: the others would wait for ever.
            log.exception("%d mails could not be kept; they are to be sent again.", len(batch))
            return False

    def _batches(self) -> Iterator[list[Waiting]]:
        while (first := self._next()) is not None:
            batch, size = [first], len(first.kept.body)
            while len(batch) < MOST_MAILS and (more := self._at_hand()) is not None:
                size += len(more.kept.body)
                if size > MOST_BYTES:
                    self._held = more
                    break
                batch.append(more)
            yield batch

    def _next(self) -> Waiting | None:
        held, self._held = self._held, None
        return held or self._queue.get()

    def _at_hand(self) -> Waiting | None:
        try:
            found = self._queue.get_nowait()
        except Empty:
            return None
        if found is None:
            self._queue.put(None)  # the end is heeded after this batch
        return found


def _count(put_off: int) -> None:
    try:
        hourly_counts.count_mail(put_off=put_off)
    except Error as error:
        log.warning("%d mails were put off, which could not be counted: %s.", put_off, type(error).__name__)
        connection.close()


def _answer(waiting: Sequence[Waiting], answer: IntakeAnswer) -> None:
    for each in waiting:
        # Somebody who has gone does not wait any more.
        if each.answer.set_running_or_notify_cancel():
            each.answer.set_result(answer)
