"""This database's own row: a mark that rises whenever something may leave, and since when workers could be heard."""

from typing import Final

from django.db import connection

# Workers tell that they live every five seconds; without a word from anybody for so long, the database was away.
GAP: Final = "interval '20 seconds'"
# A test that empties all tables leaves it without a row; then it begins anew.
ADVANCE: Final = f"""
INSERT INTO messaging_installation AS i (mark) VALUES (1)
ON CONFLICT (id) DO UPDATE SET mark = i.mark + 1, marked_at = statement_timestamp(),
  whole_since = CASE WHEN i.mark > 0 AND i.marked_at < statement_timestamp() - {GAP}
    THEN statement_timestamp() ELSE i.whole_since END
WHERE i.held_at IS NULL
RETURNING mark
"""  # noqa: S608 -- of constants
# Whether a turn that began at this mark may go on: not while nothing may leave, nor in a database that went back.
OPEN: Final = "EXISTS (SELECT FROM messaging_installation WHERE held_at IS NULL AND mark >= %(mark)s)"
# Whether a worker's silence means anything: not right after nobody could be heard.
IS_WHOLE: Final = """
EXISTS (SELECT FROM messaging_installation WHERE whole_since <= statement_timestamp() - %(silent)s)
"""


def advance() -> int | None:
    """Raise the mark: call it before anything may leave, and after. Returns it; None where nothing may leave."""
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE)
        row = cursor.fetchone()
    return row[0] if row is not None else None
