"""The yardstick: the same events applied by one plain statement on tables of its own (see yardstick.sql)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from django.db import connection, transaction

from bench import place
from bench.data import CONTACTS, UNSETTLED, per_send_out
from bench.figures import say
from messaging.status.order import Event, Kind

TABLES: Final = Path(__file__).with_name("yardstick.sql").read_text()
APPLY: Final = Path(__file__).with_name("yardstick_apply.sql").read_text()
TYPES: Final = {
    Kind.DEFERRED: 2, Kind.SOFT_BOUNCE: 3, Kind.DELIVERED: 5, Kind.OPENED: 6, Kind.CLICKED: 7, Kind.HARD_BOUNCE: 8,
}  # fmt: skip


def loaded(messages: int) -> Callable[[], None]:
    """Call what is returned to have a database with the yardstick's tables to work in."""
    return place.pristine("yardstick", lambda: fill(messages), f"{messages:,} messages, {CONTACTS:,} contacts")


def apply(columns: list[list[object]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(APPLY, columns)


def fill(messages: int) -> None:
    say(f"{messages:,} messages of the yardstick …")
    shape = {"messages": messages, "contacts": CONTACTS, "unsettled": UNSETTLED, "per_send_out": per_send_out(messages)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'; SELECT setseed(0.42)")
        cursor.execute(TABLES, shape)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def columns(batch: Sequence[Event]) -> list[list[object]]:
    """The events as the statement's arrays."""
    rows = [
        (
            2 if event.provider == "twilio" else 1, event.idempotency_key, event.provider_message_id, TYPES[event.kind],
            event.occurred_at.timestamp(), event.diagnostic or None,
        )
        for event in batch
    ]  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]
