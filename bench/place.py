"""Where it is measured: a database of our own, filled once and copied afresh for every way of every round.

On the embedded PostgreSQL, as `make run` starts it, with its data under var/bench; or on the server of DATABASE_URL,
where databases called engage_bench… come and go and no other is touched.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import django
from django.db import connection, connections

from bench.figures import say
from engage.local import embedded
from engage.local.bootstrap import BASE_DIR

FOLDER: Final = BASE_DIR / "var" / "bench"
# The one that is worked in; the others, named after what they hold, are only copied from.
WORKING: Final = "engage_bench"
# KEEP=1 leaves those behind, so that the next run need not load again.
KEEP: Final = bool(os.environ.get("KEEP"))


@contextmanager
def prepared() -> Iterator[None]:
    """Servers, settings and Django for the block. Removes everything before and after."""
    os.environ["VAR_DIR"] = str(FOLDER)
    remove_folder()
    try:
        with embedded.environment():
            use_database_of_our_own()
            try:
                drop_all()
                yield
            finally:
                drop_all()
    finally:
        remove_folder()


def remove_folder() -> None:
    if not KEEP and FOLDER.exists():
        shutil.rmtree(FOLDER)


def use_database_of_our_own() -> None:
    url = urlsplit(os.environ["DATABASE_URL"])
    os.environ["DATABASE_URL"] = urlunsplit(url._replace(path=f"{url.path.rpartition('/')[0]}/{WORKING}"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "engage.settings"
    os.environ["LOG_LEVEL"] = "WARNING"
    django.setup()


def pristine(name: str, fill: Callable[[], None], holds: str, of: str = "") -> Callable[[], None]:
    """A database filled once; what is returned resets the working one to a copy of it: no dead rows, nothing dirty.

    `holds` tells one filling from another. `of`: the name of another one, of which this is a copy before it is filled.
    """
    original = f"{WORKING}_{name}"

    def reset() -> None:
        drop(WORKING)
        run(f"CREATE DATABASE {WORKING} TEMPLATE {original} STRATEGY FILE_COPY")
        os.sync()  # or the system writes the copy to the disk half a minute later, in the middle of a round

    if not is_filled(original, holds):
        started = time.monotonic()
        drop(WORKING)
        drop(original)
        run(f"CREATE DATABASE {WORKING}" + (f" TEMPLATE {WORKING}_{of} STRATEGY FILE_COPY" if of else ""))
        fill()
        connections.close_all()
        run(f"ALTER DATABASE {WORKING} RENAME TO {original}")
        run(f"COMMENT ON DATABASE {original} IS '{holds}'")
        say(f"{name}: {holds} loaded in {time.monotonic() - started:.0f} s, {size_of(original)}")
    return reset


def is_filled(database: str, holds: str) -> bool:
    return run("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", database) == [
        (holds,)
    ]


def size_of(database: str) -> str:
    return str(run("SELECT pg_size_pretty(pg_database_size(%s))", database)[0][0])


def drop_all() -> None:
    for (database,) in run("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", WORKING):
        if database == WORKING or not KEEP:
            drop(database)


def drop(database: str) -> None:
    connections.close_all()
    run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def run(statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    """From outside of the working database, which must not be in use while it is copied, renamed or dropped."""
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []
