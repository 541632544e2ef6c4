"""Statements that run over and over."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


class _Preparing(psycopg.Cursor[Any]):
    def execute(
        self,
        query: Any,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        prepare: bool | None = True,
        binary: bool | None = None,
    ) -> Self:
        return super().execute(query, params, prepare=prepare, binary=binary)


def go_by_indexes() -> None:
    """Until this transaction ends, plans avoid reading a whole table: one that is empty when its plan is made may be
    large before PostgreSQL learns of it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")


def commit_without_waiting() -> None:
    """This transaction's commit does not wait for the disk: for work that is done again where a crash takes it back.

    What it takes back (of the last second at most) it takes back whole, and with all that was built upon it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def prepared() -> CursorWrapper:
    """A cursor whose statements PostgreSQL parses and plans once a connection, not each time; and its arguments travel
    beside the statement, not in it.

    For the set-based statements of a batch, whose best plan is the same for one row and for thousands. The plan is made
    for ten elements an array, so a table is reached by its index and a batch joined by hashing. Where
    DATABASE_PREPARE is off, it is a plain cursor.
    """
    connection.ensure_connection()
    cursor: Any = _Preparing(connection.connection)
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)
