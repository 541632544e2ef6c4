"""Running a statement for what it changes, or for the messages that it names."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection


def ids(statement: str, parameters: Any) -> list[int]:
    """The numbers that the statement returns, in order."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return sorted(pk for (pk,) in cursor.fetchall())


def execute(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> int:
    """How many rows the statement was about."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
