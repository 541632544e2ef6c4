"""Claiming batches and marking messages, each in a transaction of its own, before anything leaves."""

from collections.abc import Mapping
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from contacts.sql import columns
from messaging.delivery import sql
from messaging.delivery.heartbeat import SILENT_AFTER
from messaging.delivery.patience import insist
from messaging.delivery.recording import leave_outcome_unknown
from messaging.delivery.statements import execute, ids
from messaging.delivery.transport import Transport, idempotency_key
from messaging.status.order import Event, Kind, key_of


def settle_unknown_outcomes(send_out_id: int, first: int, last: int) -> None:
    """Messages that a worker before us marked, and never recorded."""
    leave_outcome_unknown(ids(sql.UNKNOWN_OUTCOMES, [send_out_id, first, last]))


def claim(statement: str, parameters: Any) -> tuple[int, int, int] | None:
    """A batch, and its first and last message."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: tuple[int, int, int] | None = cursor.fetchone()
    return found


def mark_messages(of: Mapping[str, Any], batch: Mapping[str, Any]) -> list[int]:
    """Messages to hand over now. Where the line breaks meanwhile, none of them is, and none stays marked."""
    try:
        return ids(sql.MARK, of)
    except (OperationalError, InterfaceError):
        insist(lambda: execute(sql.UNMARK, batch))
        raise


def mark_again(way: Transport, mark: int) -> dict[int, tuple[int, str]]:
    """Messages to try now, each with the number of its attempt before, and the slug of the way that one went."""
    of: Any = {
        "provider": way.slug, "channel": way.channel, "limit": way.slice, "silent": SILENT_AFTER, "mark": mark
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql.MARK_AGAIN, of)
        return {pk: (attempt, slug) for pk, attempt, slug in cursor.fetchall()}


def without_outcome(marked: Mapping[int, tuple[int, str]]) -> set[int]:
    """Messages whose last attempt a worker began, and never recorded: only one that was put off comes here again."""
    begun = [
        (pk, key_of(Event(slug, Kind.DEFERRED, timezone.now(), idempotency_key(pk, attempt))))
        for pk, (attempt, slug) in marked.items()
        if attempt
    ]
    if not begun:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(sql.WITH_EVENT, columns(begun))
        return {pk for pk, _key in begun} - {pk for (pk,) in cursor.fetchall()}
