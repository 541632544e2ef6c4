"""The statements of send-outs. Policy that is no SQL is in the modules beside; who gets it is said here, once."""

from typing import Final

# Held by who makes rows, so that it is one at a time; a send-out that is not sending has no work. With it the last
# contact of the next chunk: of all contacts, so that a chunk is never more work than that.
#
# A chunk that a crash of PostgreSQL takes back is made again, so its commit need not wait for the disk. Whoever acts
# on it commits later in the same log, and waits for that: what was acted on is safe.
CLAIM_PROGRESS: Final = """
SELECT p.after, (SELECT max(id) FROM (
    SELECT id FROM contacts_contact WHERE id > p.after AND id <= p.until ORDER BY id LIMIT %s) AS chunk),
  set_config('synchronous_commit', 'off', true)
FROM messaging_progress p JOIN messaging_sendout s ON s.id = p.send_out_id
WHERE p.send_out_id = %s AND p.rows_done_at IS NULL AND s.state = 'sending'
FOR NO KEY UPDATE OF p SKIP LOCKED
"""

# Members of the audience with what becomes of each: a status of a new message, or the reason to leave them out, the
# first that holds. `address` and `accepts` are columns of the channel; the other places are SQL made by judging.py.
JUDGED: Final = """
members AS {how} (
  SELECT c.id, c.{address} AS address_id, CASE
    WHEN c.{address} IS NULL THEN 'no_address'
    WHEN {is_blocked} THEN 'blocked'
    WHEN NOT {accepts} THEN 'opted_out' END AS why
  FROM {contacts} WHERE {window} AND {audience}
), judged AS (
  SELECT c.id, c.address_id, COALESCE(c.why, CASE
    WHEN {is_copy} THEN 'duplicate'
    WHEN {is_master} THEN 'master_control'
    WHEN {is_control} THEN 'control_group' ELSE 'waiting' END) AS outcome
  FROM {members} c
)
"""

# What is in force: neither ended nor held for review (contacts/blocks/record.py, IN_FORCE).
IS_BLOCKED: Final = """
EXISTS (SELECT FROM contacts_block b
  WHERE b.address_id = {alias}.{address} AND b.ended_at IS NULL AND b.held_at IS NULL)
"""
# The same for the few of a chunk: as a scalar it is looked up for each, instead of all blocks being read.
IS_BLOCKED_OF_FEW: Final = """
(SELECT true FROM contacts_block b
  WHERE b.address_id = {alias}.{address} AND b.ended_at IS NULL AND b.held_at IS NULL LIMIT 1)
"""

# A copy goes to the first of those who share an address and could get one. Asked of all contacts at once:
IS_COPY: Final = """
EXISTS (SELECT FROM contacts_contact o WHERE o.{address} = c.address_id AND o.id < c.id AND {accepts} AND {audience})
"""
# … and chunk by chunk, of what was made before, so that a person who opted out meanwhile still counts as who got it.
IS_COPY_OF_BEFORE: Final = """
(c.number > 1 OR EXISTS (
  SELECT FROM contacts_contact o WHERE o.{address} = c.address_id AND o.id <= %(after)s AND (
    EXISTS (SELECT FROM messaging_message m WHERE m.send_out_id = %(send_out)s AND m.contact_id = o.id
            AND m.address_id = c.address_id)
    OR EXISTS (SELECT FROM messaging_leftout l WHERE l.send_out_id = %(send_out)s AND l.contact_id = o.id
               AND l.why = 'master_control'))))
"""
NUMBERED: Final = """
(SELECT *, row_number() OVER (PARTITION BY address_id, why IS NULL ORDER BY id) AS number FROM members)
"""

# The hash that hash partitions rest on, so it stays the same from version to version; sha256 takes ten times as long.
# control.draws is the same in Python.
IS_DRAWN: Final = "hashint8extended(c.id, CAST({seed} AS bigint)) < CAST({bound} AS bigint)"
HAS_LABEL: Final = "EXISTS (SELECT FROM contacts_labelled l WHERE l.label_id = {label} AND l.contact_id = c.id)"

MAKE_ROWS: Final = """
WITH {judged}, made AS (
  INSERT INTO messaging_message (channel, send_out_id, contact_id, address_id, content_id, subject, provider, status)
  SELECT %(channel)s, %(send_out)s, id, address_id, %(content)s, '', '', outcome
  FROM judged WHERE outcome IN ('waiting', 'control_group') ORDER BY id
  ON CONFLICT (send_out_id, contact_id) DO NOTHING
  RETURNING id, status
), left_out AS (
  INSERT INTO messaging_leftout (send_out_id, contact_id, why)
  SELECT %(send_out)s, id, outcome FROM judged WHERE outcome NOT IN ('waiting', 'control_group') ORDER BY id
  ON CONFLICT (send_out_id, contact_id) DO NOTHING
  RETURNING why
), batch AS (
  INSERT INTO messaging_batch (send_out_id, first_message, last_message, messages)
  SELECT %(send_out)s, min(id), max(id), count(*)
  FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(batch)s AS n FROM made WHERE status = 'waiting') AS w
  GROUP BY n
), moved AS (
  INSERT INTO messaging_movement (send_out_id, figure, delta)
  SELECT %(send_out)s, figure, count(*)
  FROM (SELECT status AS figure FROM made UNION ALL SELECT why FROM left_out) AS f GROUP BY figure
)
UPDATE messaging_progress p SET after = %(end)s,
  first_message = LEAST(p.first_message, m.first), last_message = GREATEST(p.last_message, m.last)
FROM (SELECT min(id) AS first, max(id) AS last FROM made) AS m WHERE p.send_out_id = %(send_out)s
"""

COUNT: Final = "WITH {judged} SELECT outcome, count(*) FROM judged GROUP BY outcome"
# Contacts spread evenly over their numbers; one in each step, at a place that no regularity of the data can match.
SAMPLE: Final = """
SELECT c.* FROM generate_series(0::bigint, %(sample)s - 1) AS n
JOIN contacts_contact c ON c.id = 1 + n * %(step)s + (hashint8(n) & 2147483647) %% %(step)s
"""
ESTIMATE: Final = """
WITH sampled AS MATERIALIZED ({sample}), {judged}
SELECT outcome, count(*) FROM judged GROUP BY outcome UNION ALL SELECT '', count(*) FROM sampled
"""
MEMBERS: Final = """
WITH {judged} SELECT id FROM judged WHERE outcome = %(outcome)s AND id < %(before)s ORDER BY id DESC LIMIT %(limit)s
"""
# PostgreSQL's own idea of how many there are, and the greatest number.
HOW_MANY: Final = """
SELECT GREATEST(c.reltuples, 0)::bigint, COALESCE((SELECT max(id) FROM contacts_contact), 0)
FROM pg_class c WHERE c.oid = 'contacts_contact'::regclass
"""

# One conditional statement: it moves, and tells who did, or it does nothing.
MOVE: Final = """
WITH moved AS (
  UPDATE messaging_sendout SET state = %(to)s, state_at = now(){also}
  WHERE id = %(id)s AND state = ANY(%(of)s){only} RETURNING id
){then}
INSERT INTO messaging_sendoutchange (send_out_id, kind, detail, actor_id)
SELECT id, %(kind)s, %(detail)s, %(actor)s FROM moved RETURNING id
"""
ONLY_STARTED: Final = " AND started_at IS NOT NULL"
NOT_HELD: Final = "NOT EXISTS (SELECT FROM messaging_installation WHERE held_at IS NOT NULL)"
THEN_PROGRESS: Final = """, begun AS (
  INSERT INTO messaging_progress (send_out_id, until, master)
  SELECT id, (SELECT COALESCE(max(id), 0) FROM contacts_contact), %(master)s::jsonb FROM moved
)"""
# A rate is of the time since the start or the last pause.
THEN_FORGET_MARKS: Final = """, forgotten AS (
  UPDATE messaging_progress SET marks = '[]' FROM moved WHERE send_out_id = moved.id
)"""
ONLY_DONE: Final = """
  AND EXISTS (SELECT FROM messaging_progress p WHERE p.send_out_id = messaging_sendout.id AND rows_done_at IS NOT NULL)
  AND COALESCE((SELECT sum(n) FROM (
    SELECT send_out_id, figure, count AS n FROM messaging_total
    UNION ALL
    SELECT send_out_id, figure, delta FROM messaging_movement) AS w
    WHERE send_out_id = messaging_sendout.id AND figure = 'waiting'), 0) = 0
"""

TOTALS: Final = """
SELECT send_out_id, figure, sum(n)::bigint FROM (
  SELECT send_out_id, figure, count AS n FROM messaging_total WHERE send_out_id = ANY(%s)
  UNION ALL
  SELECT send_out_id, figure, delta FROM messaging_movement WHERE send_out_id = ANY(%s)
) AS all_of_it GROUP BY send_out_id, figure HAVING sum(n) <> 0
"""
# Folding and counting anew are one at a time: a count is of a snapshot, and must not overwrite what came after it.
FOLDING: Final = 0x456E67616765  # a number of our own among PostgreSQL's advisory locks
TRY_FOLDING: Final = f"SELECT pg_try_advisory_xact_lock({FOLDING})"
LOCK_FOLDING: Final = f"SELECT pg_advisory_xact_lock({FOLDING})"
FOLD: Final = """
WITH taken AS (
  DELETE FROM messaging_movement WHERE id = ANY(ARRAY(SELECT id FROM messaging_movement ORDER BY id LIMIT %s))
  RETURNING send_out_id, figure, delta
), folded AS (
  INSERT INTO messaging_total AS t (send_out_id, figure, count)
  SELECT s.id, figure, sum(delta) FROM taken JOIN messaging_sendout s ON s.id = send_out_id
  GROUP BY s.id, figure HAVING sum(delta) <> 0
  ON CONFLICT (send_out_id, figure) DO UPDATE SET count = t.count + excluded.count
)
SELECT count(*) FROM taken
"""
# What is counted and what had been moved by then are of one snapshot. Figures that are no more are set to nothing.
RECOUNT: Final = """
WITH taken AS (
  DELETE FROM messaging_movement WHERE send_out_id = %(send_out)s RETURNING figure
), counted AS (
  SELECT status AS figure, count(*) AS n FROM messaging_message WHERE send_out_id = %(send_out)s GROUP BY status
  UNION ALL
  SELECT why, count(*) FROM messaging_leftout WHERE send_out_id = %(send_out)s GROUP BY why
  UNION ALL
  SELECT t.figure, 0 FROM messaging_total t WHERE t.send_out_id = %(send_out)s
)
INSERT INTO messaging_total AS t (send_out_id, figure, count)
SELECT %(send_out)s, figure, sum(n) FROM counted GROUP BY figure
ON CONFLICT (send_out_id, figure) DO UPDATE SET count = excluded.count
"""

# Those of the addresses that somebody has.
KNOWN: Final = """
SELECT a.id FROM unnest(%s::text[], %s::text[]) AS s(channel, value) JOIN contacts_address a USING (channel, value)
WHERE EXISTS (SELECT FROM contacts_contact c WHERE c.email_address_id = a.id)
   OR EXISTS (SELECT FROM contacts_contact c WHERE c.mobile_address_id = a.id)
"""
# How many they are, and how many of them were not on the list yet.
KEEP_LISTED: Final = f"""
WITH known AS ({KNOWN}), kept AS (
  INSERT INTO messaging_listedaddress (list_id, address_id) SELECT %s, id FROM known
  ON CONFLICT (list_id, address_id) DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM known), (SELECT count(*) FROM kept)
"""  # noqa: S608 -- of constants

# Whether in the control group, how many, and how many of them have unsubscribed since the start.
COMPARED: Final = """
SELECT m.status = 'control_group', count(*),
  count(*) FILTER (WHERE NOT c.accepts_{channel} AND c.{channel}_consent_at >= %(started)s)
FROM messaging_message m JOIN contacts_contact c ON c.id = m.contact_id
WHERE m.id BETWEEN %(first)s AND %(last)s AND m.send_out_id = %(send_out)s GROUP BY 1
"""
