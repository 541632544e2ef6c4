"""This database, told from its copies: a mark that rises before anything leaves, kept in it and outside of it.

What was restored from a backup is behind the mark outside, which is in the broker and in a file of VAR_DIR: the
higher one counts, so that either may be lost. Where neither is there (other machines, say), it goes by where PostgreSQL
has the table itself: a restored table has another number (pg_class.oid), another cluster another identifier, and going
back in time (PITR) begins another timeline. What follows from that is restored.py's.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from threading import get_ident
from time import monotonic
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import connection, models
from django.utils.translation import gettext_lazy as _

KEY: Final = "engage.installation"
FILE: Final = "installation"
# How many of each send-out had left, by the last word: what makes a restore's page say "at least".
LEFT_KEY: Final = "engage.installation.left"
LEFT_FILE: Final = "installation.left"
MOST_LEFT: Final = 100
# The place of a database that has sent something, and has never been looked at (migration 0025).
BEFORE: Final = "before"
# Workers tell that they live every five seconds; without a word from anybody for so long, the database was away.
GAP: Final = "interval '20 seconds'"
# A broker that is away is left alone for so long: each try takes seconds.
BROKER_REST_SECONDS: Final = 10.0

# Has it a row? A test that empties all tables leaves it without; then it begins anew.
BEGIN: Final = "INSERT INTO messaging_installation (place) VALUES (%s) ON CONFLICT DO NOTHING"
LOOK: Final = """
SELECT i.history, i.mark, i.place, i.held_at IS NOT NULL, ({place}), (SELECT last_value FROM messaging_message_id_seq),
  i.marked_at
FROM messaging_installation i
"""
PLACE: Final = """
SELECT concat_ws(':', {cluster}, (SELECT oid FROM pg_database WHERE datname = current_database()),
  'messaging_installation'::regclass::oid) || '/' || {timeline}
"""
ADVANCE: Final = f"""
UPDATE messaging_installation SET mark = mark + 1, place = %s, marked_at = statement_timestamp(),
  whole_since = CASE WHEN mark > 0 AND marked_at < statement_timestamp() - {GAP}
    THEN statement_timestamp() ELSE whole_since END
WHERE history = %s AND mark >= %s AND held_at IS NULL
RETURNING mark, set_config('synchronous_commit', 'on', true)
"""  # noqa: S608 -- of constants
# Whether a turn that began at this mark may go on: not while nothing may leave, nor in a database that went back.
OPEN: Final = "EXISTS (SELECT FROM messaging_installation WHERE held_at IS NULL AND mark >= %(mark)s)"
# Whether a worker's silence means anything: not right after nobody could be heard.
IS_WHOLE: Final = """
EXISTS (SELECT FROM messaging_installation WHERE whole_since <= statement_timestamp() - %(silent)s)
"""


class RestoreTrace(models.TextChoices):
    """By what a database is known to have been restored."""

    BEHIND = "behind", _("what is kept outside of the database is further than the database")
    MOVED = "moved", _("PostgreSQL has its tables at another place than before")
    FOREIGN = "foreign", _("what is kept outside of the database is about another one")
    SAID = "said", _("somebody said so (manage.py restored)")


class Outside(NamedTuple):
    """What is kept outside of the database."""

    history: UUID
    mark: int
    # How far messages were numbered.
    last_message: int


class InstallationState(NamedTuple):
    """The row, and where it is now. (The columns of LOOK, in order.)"""

    history: UUID
    mark: int
    place: str
    is_held: bool
    is_at: str
    last_message: int
    marked_at: datetime


def sign_of(seen: InstallationState, outside: Sequence[Outside]) -> RestoreTrace | None:
    """By what a database is known to have been restored; None where nothing speaks for it."""
    ours = [each.mark for each in outside if each.history == seen.history]
    if ours and max(ours) > seen.mark:
        return RestoreTrace.BEHIND
    if seen.place == BEFORE:
        return RestoreTrace.FOREIGN if outside and not ours else None
    if not seen.place:
        return None
    if not ours:
        return RestoreTrace.MOVED if seen.place != seen.is_at else None
    # Nothing was lost where it moved with all that it knew. A server that took over has another timeline, no more.
    has_moved = _without_timeline(seen.place) != _without_timeline(seen.is_at)
    return RestoreTrace.MOVED if has_moved and max(ours) != seen.mark else None


def _without_timeline(place: str) -> str:
    return place.partition("/")[0]


def step(seen: InstallationState) -> int | None:
    """Raise the mark from what was seen, in the database and then outside. Returns it; None where another worker was
    faster, or it is no longer what was seen."""
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE, [seen.is_at, seen.history, seen.mark])
        row = cursor.fetchone()
    if row is None:
        return None
    mark: int = row[0]
    if not connection.in_atomic_block:  # what is kept outside must not be taken back
        keep(Outside(seen.history, mark, seen.last_message))
    return mark


def look() -> InstallationState:
    """The row as it is now, made if there is none."""
    for _attempt in range(2):
        with connection.cursor() as cursor:
            cursor.execute(LOOK.format(place=_place_words()))
            row = cursor.fetchone()
            if row is not None:
                return InstallationState(*row)
            cursor.execute(f"SELECT ({_place_words()})")
            cursor.execute(BEGIN, [cursor.fetchone()[0]])
    raise RuntimeError("The installation has no row.")


_words = dict[str, str]()


def _place_words() -> str:
    """SQL for the place. Some hosted PostgreSQL lets nobody see its cluster's own numbers."""
    if "place" not in _words:
        with connection.cursor() as cursor:
            cursor.execute("""
                SELECT has_function_privilege('pg_control_system()', 'execute')
                  AND has_function_privilege('pg_control_checkpoint()', 'execute')
            """)
            may_see = cursor.fetchone()[0]
        _words["place"] = PLACE.format(
            cluster="(SELECT system_identifier FROM pg_control_system())" if may_see else "0",
            timeline="(SELECT timeline_id FROM pg_control_checkpoint())" if may_see else "0",
        )
    return _words["place"]


_broker_rests_until = 0.0


def kept() -> list[Outside]:
    return list(_kept())


def _kept() -> Iterator[Outside]:
    """What is kept in the broker, and in the file; nothing where there is nothing, or it cannot be read."""
    for text in (_in_broker(KEY), _in_file(FILE)):
        with suppress(ValueError):
            history, mark, last_message = text.split()
            yield Outside(UUID(history), int(mark), int(last_message))


def keep_left(left: Mapping[int, int]) -> None:
    """How many of each send-out have left, outside of the database, where less is known; the newest MOST_LEFT of them.

    Called every few seconds, so what a restore finds there is the least that had left.
    """
    if not left:
        return
    history = look().history
    known = left_of(history)
    newest = sorted({*known, *left}, reverse=True)[:MOST_LEFT]
    merged = {pk: max(known.get(pk, 0), left.get(pk, 0)) for pk in newest}
    if merged != known:
        _write(LEFT_KEY, LEFT_FILE, " ".join([str(history), *(f"{pk}:{n}" for pk, n in merged.items())]) + "\n")


def left_of(history: UUID) -> dict[int, int]:
    """What is kept outside by keep_left(), by the send-out's number; the higher of both places."""
    found = dict[int, int]()
    for text in (_in_broker(LEFT_KEY), _in_file(LEFT_FILE)):
        of, *parts = text.split() or [""]
        if of != str(history):
            continue
        with suppress(ValueError):
            for part in parts:
                pk, n = map(int, part.split(":"))
                found[pk] = max(found.get(pk, 0), n)
    return found


def _in_broker(key: str) -> str:
    global _broker_rests_until  # noqa: PLW0603 -- of the process
    if monotonic() < _broker_rests_until:
        return ""
    try:
        return str(cache.get(key) or "")
    except Exception:  # noqa: BLE001 -- whatever ails it, the file is there
        _broker_rests_until = monotonic() + BROKER_REST_SECONDS
        return ""


def _in_file(name: str) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return (settings.VAR_DIR / name).read_text()
    return ""


def keep(outside: Outside) -> None:
    """Outside of the database, where it is not further already; where that fails, the other place has it."""
    text = f"{outside.history} {outside.mark} {outside.last_message}\n"
    key = KEY if monotonic() >= _broker_rests_until and _is_behind(_in_broker(KEY), outside) else ""
    _write(key, FILE if _is_behind(_in_file(FILE), outside) else "", text)


def _write(key: str, file: str, text: str) -> None:
    """To the broker under that key, and to that file of VAR_DIR; "" for neither. What fails, the other place has."""
    if key:
        with suppress(Exception):
            cache.set(key, text, timeout=None)
    if file:
        with suppress(OSError):
            path = settings.VAR_DIR / file
            new = path.with_name(f"{file}.{os.getpid()}.{get_ident()}")
            new.write_text(text)
            new.replace(path)


def _is_behind(text: str, outside: Outside) -> bool:
    history, _, rest = text.partition(" ")
    mark = rest.partition(" ")[0]
    return history != str(outside.history) or not mark.isdecimal() or int(mark) < outside.mark
