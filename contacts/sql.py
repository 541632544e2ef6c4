"""The set-based statements of blocks/record.py and consent.py; each takes its arrays in the order of its columns."""

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


def numbers(values: Iterable[int | None]) -> str:
    """An array literal of numbers, which need no quotes."""
    return "{" + str(list(values))[1:-1].replace("None", "NULL") + "}"


LOCK_ADDRESSES: Final = "SELECT 1 FROM contacts_address WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"

# Before any contact is changed for its email or for its mobile: two channels in turn would be two orders.
LOCK_HOLDERS: Final = """
SELECT id FROM contacts_contact WHERE email_address_id = ANY(%s::bigint[]) OR mobile_address_id = ANY(%s::bigint[])
ORDER BY id FOR NO KEY UPDATE
"""

# An address has one block that has no end. Of several proofs the one counts that is in force before one that is held,
# a hard bounce before soft ones in a row, the earliest, the smaller key: a total order, so that the order of arrival
# cannot matter. What was said within a suspected outage of its domain is held; within one that was dropped, nothing.
# What a person has imported stays as it is. Returned are the addresses that had none. Theirs is looked up so that only
# an index by address can answer: while a table is new to PostgreSQL it would take any other.
BLOCK: Final = """
WITH said AS (
  SELECT g.*, a.value, CASE WHEN a.channel = 'email' THEN split_part(a.value, '@', -1) ELSE '' END AS domain
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
      %s::timestamptz[])
    AS g(address_id, at, key, message_id, cause, reason, code, diagnostic, alive_at)
  JOIN contacts_address a ON a.id = g.address_id AND (a.lifted_at IS NULL OR g.at > a.lifted_at)
), ground AS (
  SELECT DISTINCT ON (s.address_id) s.*, o.id AS outage_id,
    CASE WHEN o.id IS NOT NULL THEN 2 WHEN s.cause = 'soft_bounces' THEN 1 ELSE 0 END AS place,
    coalesce((
      SELECT CASE WHEN b.held_at IS NOT NULL THEN 2 WHEN b.cause = 'soft_bounces' THEN 1 ELSE 0 END
      FROM contacts_block b WHERE b.address_id = s.address_id AND coalesce(b.ended_at, 'infinity') = 'infinity'
    ), 0) AS place_before
  FROM said s
  LEFT JOIN LATERAL (
    SELECT o.id, o.verdict FROM contacts_outage o
    WHERE s.cause = 'one_hard_bounce' AND o.domain = s.domain AND s.at BETWEEN o.from_at AND o.until_at
      AND o.verdict <> 'kept'
    ORDER BY o.verdict DESC LIMIT 1
  ) o ON true
  WHERE o.verdict IS DISTINCT FROM 'dropped'
  ORDER BY s.address_id, place, s.at, s.key
), made AS (
  INSERT INTO contacts_block AS b
    (address_id, started_at, cause, reason, code, diagnostic, message_id, event_key, end_reason, domain, alive_at,
     outage_id, held_at)
  SELECT address_id, at, cause, reason, code, diagnostic, message_id, key, '', domain, alive_at,
    outage_id, CASE WHEN place = 2 THEN now() END
  FROM ground ORDER BY address_id
  ON CONFLICT (address_id) WHERE ended_at IS NULL DO UPDATE
    SET started_at = excluded.started_at, cause = excluded.cause, reason = excluded.reason, code = excluded.code,
        diagnostic = excluded.diagnostic, message_id = excluded.message_id, event_key = excluded.event_key,
        domain = excluded.domain, alive_at = excluded.alive_at, outage_id = excluded.outage_id,
        held_at = excluded.held_at, last_proof_at = greatest(b.last_proof_at, b.started_at), is_life_sought = false
    WHERE b.cause <> 'imported'
      AND (CASE WHEN excluded.held_at IS NOT NULL THEN 2 WHEN excluded.cause = 'soft_bounces' THEN 1 ELSE 0 END,
           excluded.started_at, excluded.event_key)
        < (CASE WHEN b.held_at IS NOT NULL THEN 2 WHEN b.cause = 'soft_bounces' THEN 1 ELSE 0 END,
           b.started_at, b.event_key)
  RETURNING address_id, (xmax = 0) AS is_new
), told AS (
  INSERT INTO contacts_change (contact_id, kind, field, old, new, why, message_id)
  SELECT c.id, CASE WHEN g.place = 2 THEN 'held' ELSE 'blocked' END, g.value,
    CASE WHEN g.cause = 'one_hard_bounce' THEN '' ELSE g.cause END, g.code, g.reason, g.message_id
  FROM ground g
  JOIN contacts_contact c ON c.email_address_id = g.address_id OR c.mobile_address_id = g.address_id
  WHERE g.address_id IN (SELECT address_id FROM made WHERE is_new)
    OR (g.place < g.place_before AND g.address_id IN (SELECT address_id FROM made))
  ORDER BY c.id FOR KEY SHARE OF c
)
SELECT address_id FROM made WHERE is_new
"""

# A run of soft bounces that is another one now: what was said of it before is replaced.
MOVE_SOFT: Final = """
UPDATE contacts_block b
SET started_at = g.at, event_key = g.key, message_id = g.message_id, reason = g.reason, code = g.code,
    diagnostic = g.diagnostic
FROM unnest(%s::bigint[], %s::timestamptz[], %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[])
  AS g(address_id, at, key, message_id, cause, reason, code, diagnostic, alive_at)
WHERE b.address_id = g.address_id AND coalesce(b.ended_at, 'infinity') = 'infinity' AND b.cause = 'soft_bounces'
  AND (b.started_at, b.event_key) <> (g.at, g.key)
"""

# A block whose proof is none any more, and which other proof keeps.
MOVE_HARD: Final = """
UPDATE contacts_block b
SET started_at = g.at, event_key = g.key, message_id = g.message_id, reason = g.reason, code = g.code,
    diagnostic = g.diagnostic
FROM (
  SELECT DISTINCT ON (g.address_id) g.*
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[],
      %s::text[], %s::timestamptz[])
    AS g(address_id, at, key, message_id, cause, reason, code, diagnostic, alive_at)
  JOIN contacts_address a ON a.id = g.address_id AND (a.lifted_at IS NULL OR g.at > a.lifted_at)
  ORDER BY g.address_id, g.at, g.key
) g
WHERE b.address_id = g.address_id AND b.ended_at IS NULL AND b.event_key = ANY(%s::uuid[])
"""

# A proof that is told otherwise now.
REWORD: Final = """
UPDATE contacts_block b SET reason = r.reason FROM unnest(%s::uuid[], %s::text[]) AS r(key, reason)
WHERE b.event_key = r.key AND b.address_id = ANY(%s::bigint[]) AND b.ended_at IS NULL
"""

# What a rule made, it ends where it would not make it any more. Nobody's hand: `lifted_at` stays.
_END: Final = """
WITH ended AS (
  UPDATE contacts_block b SET ended_at = now(), end_reason = %(why)s
  WHERE {which} AND b.ended_at IS NULL
  RETURNING b.id, b.address_id, b.held_at
), told AS (
  INSERT INTO contacts_change (contact_id, kind, field, old, new, why)
  SELECT c.id, 'lifted', a.value, '', '', %(why)s
  FROM ended e JOIN contacts_address a ON a.id = e.address_id
  JOIN contacts_contact c ON c.email_address_id = a.id OR c.mobile_address_id = a.id
  ORDER BY c.id FOR KEY SHARE OF c
)
SELECT address_id FROM ended
"""
END_SOFT: Final = _END.format(which="b.address_id = ANY(%(ids)s::bigint[]) AND b.cause = 'soft_bounces'")
END_UNPROVEN: Final = _END.format(which="b.event_key = ANY(%(keys)s::uuid[]) AND b.address_id = ANY(%(ids)s::bigint[])")

# What a person decided about a suspected outage, for some of its held blocks; their addresses are locked.
DECIDE: Final = """
WITH moved AS (
  UPDATE contacts_block b SET
    held_at = CASE WHEN o.verdict = 'kept' THEN NULL ELSE b.held_at END,
    ended_at = CASE WHEN o.verdict = 'dropped' THEN now() END,
    ended_by_id = CASE WHEN o.verdict = 'dropped' THEN o.decided_by_id END,
    end_reason = CASE WHEN o.verdict = 'dropped' THEN o.why ELSE '' END
  FROM contacts_outage o
  WHERE b.id = ANY(%s::bigint[]) AND o.id = b.outage_id AND o.decided_at IS NOT NULL
    AND b.held_at IS NOT NULL AND b.ended_at IS NULL
  RETURNING b.address_id, b.code, b.reason, b.message_id, o.verdict = 'kept' AS is_kept, o.why, o.decided_by_id
)
INSERT INTO contacts_change (contact_id, kind, field, old, new, why, actor_id, message_id)
SELECT c.id, CASE WHEN is_kept THEN 'blocked' ELSE 'lifted' END, a.value, '', CASE WHEN is_kept THEN m.code ELSE '' END,
  CASE WHEN is_kept THEN m.reason ELSE m.why END, m.decided_by_id, CASE WHEN is_kept THEN m.message_id END
FROM moved m JOIN contacts_address a ON a.id = m.address_id JOIN contacts_contact c ON c.email_address_id = m.address_id
ORDER BY c.id
"""

BLOCKED_AMONG: Final = """
SELECT address_id, cause FROM contacts_block WHERE ended_at IS NULL AND address_id = ANY(%s::bigint[])
"""

# A bounce after the proof outweighs what was a sign of life between the two. (The block is looked up as in BLOCK.)
NOTE_PROOFS: Final = """
UPDATE contacts_block b SET last_proof_at = p.at,
  life_at = CASE WHEN life_at > p.at THEN life_at END,
  life_by = CASE WHEN life_at > p.at THEN life_by ELSE '' END,
  life_is_automatic = life_is_automatic AND COALESCE(life_at > p.at, false),
  life_message_id = CASE WHEN life_at > p.at THEN life_message_id END
FROM (
  SELECT address_id, max(at) AS at FROM unnest(%s::bigint[], %s::timestamptz[]) AS p(address_id, at) GROUP BY address_id
) p
WHERE b.address_id = p.address_id AND coalesce(b.ended_at, 'infinity') = 'infinity'
  AND p.at > COALESCE(b.last_proof_at, b.started_at)
"""

# The newest sign counts, one by a person before one by a program. (The block is looked up as in BLOCK.)
NOTE_LIFE: Final = """
WITH sign AS (
  SELECT DISTINCT ON (b.id) b.id, s.*
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::boolean[], %s::bigint[])
    AS s(address_id, at, life, is_automatic, message_id)
  JOIN contacts_block b ON b.address_id = s.address_id AND coalesce(b.ended_at, 'infinity') = 'infinity'
    AND s.at > COALESCE(b.last_proof_at, b.started_at)
  ORDER BY b.id, s.is_automatic, s.at DESC, s.message_id
)
UPDATE contacts_block b
SET life_at = s.at, life_by = s.life, life_is_automatic = s.is_automatic, life_message_id = s.message_id
FROM sign s
WHERE b.id = s.id AND (
  b.life_at IS NULL OR (s.is_automatic, b.life_at) < (b.life_is_automatic, s.at)
)
"""

DOUBT_LIFE: Final = """
UPDATE contacts_block SET life_is_automatic = true, is_life_sought = false
WHERE address_id = ANY(%s::bigint[]) AND coalesce(ended_at, 'infinity') = 'infinity'
  AND life_message_id = ANY(%s::bigint[]) AND life_by IN ('opened', 'clicked') AND NOT life_is_automatic
"""

HISTORY_OF_LIFT: Final = """
INSERT INTO contacts_change (contact_id, at, kind, field, old, new, why, actor_id)
SELECT c.id, %(at)s, 'lifted', a.value, '', '', %(why)s, %(actor)s
FROM contacts_address a JOIN contacts_contact c ON c.email_address_id = a.id OR c.mobile_address_id = a.id
WHERE a.id = %(address)s ORDER BY c.id
"""

# Whether the consent `k` stands: who presses "that was a mistake" on the page of the link takes back what the links of
# that same message said before, and nothing else.
STANDS: Final = """
k.source <> 'undo' AND NOT (k.source IN ('link', 'one_click') AND EXISTS (
  SELECT FROM contacts_consent u WHERE u.address_id = k.address_id AND u.source = 'undo'
    AND u.message_id = k.message_id AND u.at > k.at))
"""
# Whether the latest word that stands at `{address}` is a no; a no wins where two are of the same time.
SAYS_NO: Final = f"""
COALESCE((SELECT NOT k.accepts FROM contacts_consent k WHERE k.address_id = {{address}} AND {STANDS}
  ORDER BY k.at DESC, k.accepts LIMIT 1), false)
"""  # noqa: S608 -- of constants

RECORD_CONSENTS: Final = """
INSERT INTO contacts_consent (address_id, accepts, at, source, message_id, actor_id, wording, via_id, key)
SELECT * FROM unnest(%s::bigint[], %s::boolean[], %s::timestamptz[], %s::text[], %s::bigint[], %s::int[], %s::text[],
    %s::bigint[], %s::uuid[]) AS c(address_id, accepts, at, source, message_id, actor_id, wording, via_id, key)
ORDER BY address_id, key ON CONFLICT (address_id, key) DO NOTHING
"""

# Those that a version before wrote to the contacts alone, while it ran beside this one: as records, too. A no without
# a time goes before what the others who share the address have; a yes that was merely set as the contact was made is
# nobody's word where something else is known.
_ADOPT: Final = f"""
INSERT INTO contacts_consent (address_id, accepts, at, source, key)
SELECT c.{{address}}, c.accepts_{{channel}}, s.at, 'migration',
  md5(concat_ws(' ', c.id, '{{channel}}', c.accepts_{{channel}}, s.at))::uuid
FROM contacts_contact c
LEFT JOIN LATERAL (
  SELECT k.accepts, k.at FROM contacts_consent k WHERE k.address_id = c.{{address}} AND {STANDS}
  ORDER BY k.at DESC, k.accepts LIMIT 1
) w ON true
CROSS JOIN LATERAL (
  SELECT max(o.{{channel}}_consent_at) AS at, bool_and(o.accepts_{{channel}}) AS accepts
  FROM contacts_contact o WHERE o.{{address}} = c.{{address}} AND o.id <> c.id
) o
CROSS JOIN LATERAL (SELECT CASE
  WHEN c.accepts_{{channel}} THEN c.{{channel}}_consent_at
  ELSE COALESCE(greatest(c.{{channel}}_consent_at, w.at), greatest(o.at, c.created_at)) END AS at
) s
WHERE c.{{address}} = ANY(%s::bigint[]) AND CASE
  WHEN c.accepts_{{channel}} THEN s.at > COALESCE(w.at, '-infinity') AND NOT (
    (w.at IS NOT NULL OR NOT COALESCE(o.accepts, true)) AND abs(extract(epoch FROM s.at - c.created_at)) < 60)
  ELSE COALESCE(w.accepts, true) OR s.at > w.at END
ORDER BY c.{{address}}, 5 ON CONFLICT (address_id, key) DO NOTHING
"""  # noqa: S608 -- of constants

# The addresses of a chunk of contacts, by number, of which something may be said past the records.
TAKEN_OVER: Final = """
WITH chunk AS (SELECT * FROM contacts_contact WHERE id > %s ORDER BY id LIMIT %s)
SELECT (SELECT max(id) FROM chunk), array_agg(DISTINCT address_id) FROM (
  SELECT email_address_id FROM chunk
  WHERE NOT accepts_email OR abs(extract(epoch FROM email_consent_at - created_at)) >= 60
  UNION ALL
  SELECT mobile_address_id FROM chunk
  WHERE NOT accepts_sms OR abs(extract(epoch FROM sms_consent_at - created_at)) >= 60
) AS a(address_id) WHERE address_id IS NOT NULL
"""

# The contacts that have these addresses get what is said there, and their histories a line where that is news: by the
# latest that says so, be it an undoing.
_KEEP_CONSENTS: Final = f"""
WITH word AS (
  SELECT DISTINCT ON (k.address_id) k.address_id, k.accepts, k.at FROM contacts_consent k
  WHERE k.address_id = ANY(%(ids)s::bigint[]) AND {STANDS} ORDER BY k.address_id, k.at DESC, k.accepts
), moving AS (
  SELECT c.id, c.accepts_{{channel}} AS accepted, i.address_id, COALESCE(w.accepts, true) AS accepts, w.at
  FROM unnest(%(ids)s::bigint[]) AS i(address_id)
  JOIN contacts_contact c ON c.{{address}} = i.address_id LEFT JOIN word w ON w.address_id = i.address_id
  WHERE c.accepts_{{channel}} <> COALESCE(w.accepts, true) OR c.{{channel}}_consent_at IS DISTINCT FROM w.at
), moved AS (
  UPDATE contacts_contact c SET accepts_{{channel}} = m.accepts, {{channel}}_consent_at = m.at, changed_at = now()
  FROM moving m WHERE c.id = m.id
)
INSERT INTO contacts_change (contact_id, kind, field, old, new, why, message_id, actor_id)
SELECT m.id, CASE WHEN m.accepts THEN 'opted_in' ELSE 'opted_out' END, '{{channel}}', COALESCE(a.value, ''), '',
  CASE WHEN t.source IN ('provider', 'answer') THEN CASE WHEN m.accepts THEN 'resubscribe' ELSE 'unsubscribe' END
    WHEN t.source = 'administrator' THEN t.wording ELSE COALESCE(t.source, '') END, t.message_id, t.actor_id
FROM moving m LEFT JOIN LATERAL (
  SELECT k.* FROM contacts_consent k
  WHERE k.address_id = m.address_id AND k.accepts = m.accepts AND (k.source = 'undo' OR {STANDS})
  ORDER BY k.at DESC, k.key LIMIT 1
) t ON true LEFT JOIN contacts_address a ON a.id = t.via_id
WHERE m.accepts <> m.accepted ORDER BY m.id
"""  # noqa: S608 -- of constants
_OF_CHANNEL: Final = {
    Channel.EMAIL: {"channel": "email", "address": "email_address_id"},
    Channel.SMS: {"channel": "sms", "address": "mobile_address_id"},
}
ADOPT_CONSENTS: Final = {channel: _ADOPT.format(**of) for channel, of in _OF_CHANNEL.items()}
KEEP_CONSENTS: Final = {channel: _KEEP_CONSENTS.format(**of) for channel, of in _OF_CHANNEL.items()}
