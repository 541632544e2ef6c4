"""Contacts and messages as a year of send-outs leaves them, made by the server itself.

Skewed as real lists are: of 5 million messages contact n has about 3,500 / sqrt(n), so some fifty have 500 and more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from bench import place, sql
from bench.figures import say

CONTACTS: Final = 500_000
SEND_OUTS: Final = 250
# Of every ten messages these are as a send-out leaves them: handed over, and nothing heard yet.
UNSETTLED: Final = 3
CHUNK: Final = 500_000
LOADED: Final = "engage"

FIRST_NAMES: Final = [
    "Anna",
    "Erik",
    "Maria",
    "Lars",
    "Karin",
    "Anders",
    "Elisabeth",
    "Johan",
    "Margareta",
    "Per",
    "Kristina",
    "Nils",
    "Eva",
    "Karl",
    "Birgitta",
    "Mikael",
    "Linnéa",
    "Jan",
    "Marie",
    "Lennart",
    "Ingrid",
    "Hans",
    "Sofia",
    "Peter",
    "Emma",
    "Olof",
    "Sara",
    "Gunnar",
    "Åsa",
    "Sven",
    "Malin",
    "Fredrik",
    "Jenny",
    "Bengt",
    "Annika",
    "Bo",
    "Ulla",
    "Daniel",
    "Johanna",
    "Gustav",
    "Hanna",
    "Göran",
    "Helena",
    "Åke",
    "Ida",
    "Magnus",
    "Elin",
    "Alexander",
    "Monica",
    "Stefan",
    "Julia",
    "Torsten",
    "Amanda",
    "John",
    "Astrid",
    "Mats",
    "Lena",
    "Thomas",
    "Gunilla",
    "Leif",
    "Ali",
    "Fatima",
    "Mohammed",
    "Zahra",
    "Björn",
    "Agneta",
    "Ulf",
    "Wilma",
    "Kjell",
    "Cecilia",
    "Oskar",
    "Ebba",
    "Viktor",
    "Saga",
    "Hugo",
    "Maja",
    "Emil",
    "Alva",
    "Ludvig",
    "Freja",
    "Axel",
    "Nora",
    "Olle",
    "Signe",
    "Søren",
    "Kirsten",
    "Jürgen",
    "Renée",
    "Ana",
    "Bo",
    "Li",
    "Xu",
]
STEMS: Final = [
    "Anders",
    "Johan",
    "Karl",
    "Nil",
    "Erik",
    "Lar",
    "Ol",
    "Per",
    "Sven",
    "Gustaf",
    "Pet",
    "Jon",
    "Jan",
    "Hans",
    "Bengt",
    "Jakob",
    "Magnu",
    "Lind",
    "Sand",
    "Berg",
    "Lund",
    "Hög",
    "Ek",
    "Björk",
    "Alm",
    "Gran",
    "Asp",
    "Nor",
    "Söder",
    "Öst",
    "Väster",
    "Sjö",
    "Ström",
    "Strand",
    "Åker",
    "Hed",
    "Holm",
    "Wall",
    "Forss",
    "Hall",
    "Ny",
    "Sten",
    "Kvarn",
    "Dal",
    "Back",
    "Mo",
    "Fält",
    "Äng",
    "Krist",
    "Mats",
    "Daniel",
    "Mikael",
    "Isak",
    "Abraham",
    "Samuel",
    "Henrik",
    "Fredrik",
    "Martin",
    "Viktor",
    "Axel",
    "Arvid",
    "Hol",
    "Bäck",
    "Ceder",
    "Rosen",
    "Blom",
    "Liljen",
    "Örn",
    "Falk",
    "Hjort",
    "Björn",
    "Varg",
    "Lejon",
    "Stjern",
    "Sol",
    "Mån",
    "Silver",
    "Gyllen",
    "Stål",
    "Järn",
    "Sköld",
    "Svärd",
    "Hammar",
    "Smed",
    "Murare",
    "Möller",
    "Snick",
]
ENDINGS: Final = [
    "sson",
    "sson",
    "sson",
    "berg",
    "lund",
    "ström",
    "man",
    "qvist",
    "gren",
    "dahl",
    "feldt",
    "stedt",
    "mark",
    "son",
    "ell",
    "én",
]
DOMAINS: Final = [
    "example.com",
    "example.org",
    "example.net",
    "example.se",
    "post.test",
    "kund.test",
    "firma.test",
    "skola.test",
    "example.dk",
    "example.no",
    "example.fi",
    "example.de",
    "mail.test",
    "web.test",
]


def loaded(messages: int, contacts: int = CONTACTS) -> Callable[[], None]:
    """Call what is returned to have a database with these, and nothing else, to work in."""
    return place.pristine(LOADED, lambda: fill(messages, contacts), f"{messages:,} messages, {contacts:,} contacts")


def swept(messages: int) -> Callable[[], None]:
    """As `loaded`, but nothing is due any more: the running product would give up on all of it in its first minute."""
    loaded(messages)
    return place.pristine("swept", sweep, f"{messages:,} messages, none of them due", of=LOADED)


def sweep() -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.GIVE_UP_PLAINLY)
        cursor.execute("VACUUM (FULL, ANALYZE) messaging_message")


def fill(messages: int, contacts: int) -> None:
    call_command("migrate", verbosity=0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '512MB'; SELECT setseed(0.42)")
        load_contacts(cursor, contacts)
        if messages:
            load_messages(cursor, messages, contacts)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def load_contacts(cursor: CursorWrapper, contacts: int) -> None:
    say(f"{contacts:,} contacts …")
    words = {"first": FIRST_NAMES, "stem": STEMS, "ending": ENDINGS, "domain": DOMAINS}
    with bare(cursor, "contacts_address"), bare(cursor, "contacts_contact"):
        cursor.execute(sql.CONTACTS, {"contacts": contacts, **words})
        cursor.execute(sql.ADDRESSES)


def load_messages(cursor: CursorWrapper, messages: int, contacts: int) -> None:
    shape = {"messages": messages, "contacts": contacts, "unsettled": UNSETTLED, "per_send_out": per_send_out(messages)}
    cursor.execute(sql.SEND_OUTS, {"send_outs": -(-messages // per_send_out(messages))})
    cursor.execute(sql.CONTENTS)
    with bare(cursor, "messaging_message"):
        for start in range(0, messages, CHUNK):
            say(f"{start:,} of {messages:,} messages …")
            cursor.execute(sql.MESSAGES, shape | {"start": start + 1, "stop": min(start + CHUNK, messages)})
        say("their indexes …")


def per_send_out(messages: int) -> int:
    return max(1, messages // SEND_OUTS)


@contextmanager
def bare(cursor: CursorWrapper, table: str) -> Iterator[None]:
    """The table without indexes and constraints for the block: filling it is many times faster.

    Emptied in the same transaction, since that spares the write-ahead log where wal_level is minimal.
    """
    # What was put into other tables just now is checked now: their constraints are taken off, too.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cursor.execute(f"TRUNCATE {table} CASCADE")
    cursor.execute(sql.CONSTRAINTS_OF, [table])
    constraints = cursor.fetchall()
    for name, _ in constraints:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    cursor.execute(sql.INDEXES_OF, [table])
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        cursor.execute(definition)
    for name, definition in constraints:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
