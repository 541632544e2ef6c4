"""The set-based statements of contacts/blocks.py; each takes its arrays in the order of its columns."""

from collections.abc import Iterable, Sequence
from typing import Final

from contacts.models import Channel

_BETWEEN: Final = "\0"
_NULL: Final = "\ud800"


def columns(rows: Iterable[Sequence[object]]) -> list[str]:
    """Rows turned into the arrays that a statement unnests. There must be at least one row."""
    return [array(column) for column in zip(*rows, strict=True)]


def array(values: Iterable[object]) -> str:
    """The values as PostgreSQL writes an array (its manual: Array Input and Output Syntax); the statement casts it.

    psycopg dumps a list element by element, which takes seven times as long, and longer than all else that we do; here
    all elements are quoted at once, with signs that PostgreSQL's text cannot hold between them and for NULL. Raises
    ValueError where a text holds NUL, since it cannot be stored.
    """
    parts = [value if isinstance(value, str) else _NULL if value is None else str(value) for value in values]
    told = _BETWEEN.join(parts)
    if told.count(_BETWEEN) != max(0, len(parts) - 1):
        raise ValueError("A text with NUL (0x00) cannot be stored.")
    quoted = told.replace("\\", r"\\").replace('"', r"\"").replace(_BETWEEN, '","')
    return ('{"' + quoted + '"}').replace(f'"{_NULL}"', "NULL") if parts else "{}"


LOCK_ADDRESSES: Final = "SELECT 1 FROM contacts_address WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"

# Before any contact is changed for its email or for its mobile: two channels in turn would be two orders.
LOCK_HOLDERS: Final = """
SELECT 1 FROM contacts_contact WHERE email_address_id = ANY(%s::bigint[]) OR mobile_address_id = ANY(%s::bigint[])
ORDER BY id FOR NO KEY UPDATE
"""

BLOCK: Final = """
WITH ground AS (
  SELECT DISTINCT ON (g.address_id) g.*, a.value
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS g(address_id, at, key, message_id, cause, reason, code, diagnostic)
  JOIN contacts_address a ON a.id = g.address_id AND (a.lifted_at IS NULL OR g.at > a.lifted_at)
  ORDER BY g.address_id, g.at, g.key
), made AS (
  INSERT INTO contacts_block AS b
    (address_id, started_at, cause, reason, code, diagnostic, message_id, event_key, end_reason)
  SELECT address_id, at, cause, reason, code, diagnostic, message_id, key, '' FROM ground ORDER BY address_id
  ON CONFLICT (address_id) WHERE ended_at IS NULL DO UPDATE
    SET started_at = excluded.started_at, cause = excluded.cause, reason = excluded.reason, code = excluded.code,
        diagnostic = excluded.diagnostic, message_id = excluded.message_id, event_key = excluded.event_key
    WHERE (excluded.started_at, excluded.event_key) < (b.started_at, b.event_key)
  RETURNING address_id, (xmax = 0) AS is_new
)
INSERT INTO contacts_change (contact_id, kind, field, old, new, why, message_id)
SELECT c.id, 'blocked', g.value, '', g.code, g.reason, g.message_id
FROM made m JOIN ground g USING (address_id)
JOIN contacts_contact c ON c.email_address_id = m.address_id OR c.mobile_address_id = m.address_id
WHERE m.is_new ORDER BY c.id
"""

HISTORY_OF_LIFT: Final = """
INSERT INTO contacts_change (contact_id, at, kind, field, old, new, why, actor_id)
SELECT c.id, %(at)s, 'lifted', a.value, '', '', %(why)s, %(actor)s
FROM contacts_address a JOIN contacts_contact c ON c.email_address_id = a.id OR c.mobile_address_id = a.id
WHERE a.id = %(address)s ORDER BY c.id
"""

# Of several wishes the latest counts; on a tie, taking back wins over giving.
_CONSENT: Final = """
WITH wish AS (
  SELECT DISTINCT ON (address_id) *
  FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[], %s::boolean[], %s::text[])
    AS w(address_id, channel, at, message_id, accepts, why)
  ORDER BY address_id, at DESC, accepts, message_id
), moving AS (
  SELECT c.id, c.accepts_{channel} AS accepted, w.* FROM wish w JOIN contacts_contact c ON c.{address} = w.address_id
  WHERE c.{channel}_consent_at IS NULL OR w.at > c.{channel}_consent_at
     OR (w.at = c.{channel}_consent_at AND NOT w.accepts)
), moved AS (
  UPDATE contacts_contact c SET accepts_{channel} = m.accepts, {channel}_consent_at = m.at, changed_at = now()
  FROM moving m WHERE c.id = m.id
)
INSERT INTO contacts_change (contact_id, kind, field, old, new, why, message_id)
SELECT id, CASE WHEN accepts THEN 'opted_in' ELSE 'opted_out' END, '{channel}', '', '', why, message_id
FROM moving WHERE accepts IS DISTINCT FROM accepted ORDER BY id
"""
CONSENT: Final = {
    Channel.EMAIL: _CONSENT.format(channel="email", address="email_address_id"),
    Channel.SMS: _CONSENT.format(channel="sms", address="mobile_address_id"),
}
