"""Contacts and messages as years of send-outs leave them, made by the server itself.

Skewed as real lists are: contact n has about 3,500 / sqrt(n) of 5 million messages, so some fifty have 500 and more.
"""

from contextlib import contextmanager
from collections.abc import Iterator
from typing import Final

from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from bench import sql
from bench.figures import say

CONTACTS: Final = 500_000
# Of 10 messages so many are as a send-out leaves them: handed over, and nothing known yet.
UNSETTLED: Final = 3
CHUNK: Final = 500_000


def fill(messages: int, contacts: int) -> None:
    """Our own tables, in a database without any."""
    call_command("migrate", verbosity=0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '512MB'")
        load_contacts(cursor, contacts)
        if messages:
            load_messages(cursor, messages, contacts)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def load_contacts(cursor: CursorWrapper, contacts: int) -> None:
    say(f"{contacts:,} contacts …")
    with bare(cursor, "contacts_address"), bare(cursor, "contacts_contact"):
        cursor.execute("SELECT setseed(0.42)")
        cursor.execute(sql.CONTACTS, {"contacts": contacts})
        cursor.execute(sql.ADDRESSES, {"contacts": contacts})


def load_messages(cursor: CursorWrapper, messages: int, contacts: int) -> None:
    cursor.execute(sql.SEND_OUTS)
    with bare(cursor, "messaging_message"):
        for start in range(0, messages, CHUNK):
            say(f"{start:,} of {messages:,} messages …")
            cursor.execute(
                sql.MESSAGES,
                {"from": start + 1, "to": min(start + CHUNK, messages), "messages": messages, "contacts": contacts},
            )
        say("their indexes …")


@contextmanager
def bare(cursor: CursorWrapper, table: str) -> Iterator[None]:
    """The table without indexes and constraints, which come back after the block: many times faster to fill.

    Emptied in the same transaction, which spares the write-ahead log where wal_level is minimal.
    """
    cursor.execute(f"TRUNCATE {table} CASCADE")
    cursor.execute(sql.CONSTRAINTS_OF, [table])
    constraints = cursor.fetchall()
    for name, _ in constraints:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
    cursor.execute(sql.INDEXES_OF, [table])
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        cursor.execute(definition)
    for name, definition in constraints:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
