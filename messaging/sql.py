"""The set-based statements of apply.py, reports.py and sweep.py; policy is in Python, here rows only move."""

from typing import Final

KEEP_REPORT: Final = """
INSERT INTO messaging_report (provider, body, content_type, path, headers) VALUES (%s, %s, %s, %s, %s::jsonb)
"""

COUNT_REFUSAL: Final = """
INSERT INTO messaging_refusal AS r (provider, day, count) VALUES (%s, (now() AT TIME ZONE 'UTC')::date, 1)
ON CONFLICT (provider, day) DO UPDATE SET count = r.count + 1, last_at = now()
"""

CLAIM_REPORTS: Final = """
WITH due AS (
  SELECT id, octet_length(body) AS size FROM messaging_report WHERE next_at <= statement_timestamp()
  ORDER BY next_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM due) d WHERE before < %s
"""

SETTLE_REPORTS: Final = """
UPDATE messaging_report r
SET state = s.state, next_at = s.next_at, tries = r.tries + 1,
    events = s.events, unmatched = s.unmatched, error = s.error
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::int[], %s::text[])
  AS s(id, state, next_at, events, unmatched, error)
WHERE r.id = s.id
"""

MESSAGES_BY_ID: Final = "SELECT id, channel, address_id FROM messaging_message WHERE id = ANY(%s::bigint[])"

MESSAGES_BY_PROVIDER_ID: Final = """
SELECT provider, provider_message_id, m.id, m.channel, m.address_id
FROM unnest(%s::text[], %s::text[]) AS i(provider, provider_message_id)
JOIN messaging_message m USING (provider_message_id, provider)
"""

# What is new rises to its message, and is returned. One statement compares and moves: the winner's facts replace the
# old ones, being opened is only ever added. Events go in by key and messages are locked by id, so that two workers
# wait for each other instead of dead-locking.
RECORD_EVENTS: Final = """
WITH said AS (
  SELECT * FROM unnest(
      %s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[],
      %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[],
      %s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::interval[])
    AS s(key, message_id, report_id, provider, kind, occurred_at,
         reason, reply_code, status_code, provider_code, diagnostic, said_by, is_automatic,
         rank, status, code, is_read, gives_up_after)
), fresh AS (
  INSERT INTO messaging_deliveryevent (
    key, message_id, report_id, provider, kind, occurred_at,
    reason, reply_code, status_code, provider_code, diagnostic, said_by, is_automatic)
  SELECT key, message_id, report_id, provider, kind, occurred_at,
    reason, reply_code, status_code, provider_code, diagnostic, said_by, is_automatic
  FROM said ORDER BY key
  ON CONFLICT (key) DO NOTHING
  RETURNING key
), best AS (
  SELECT DISTINCT ON (message_id) s.*,
    bool_or(is_read) OVER (PARTITION BY message_id) AS is_opened,
    bool_or(is_read AND NOT is_automatic) OVER (PARTITION BY message_id) AS is_opened_by_person
  FROM said s JOIN fresh USING (key) WHERE rank > 0
  ORDER BY message_id, rank DESC, key DESC
), raising AS (
  SELECT b.*, (b.rank, b.key) > (m.rank, m.decided_by) OR m.decided_by IS NULL AS wins
  FROM messaging_message m JOIN best b ON m.id = b.message_id
  WHERE (b.rank, b.key) > (m.rank, m.decided_by) OR m.decided_by IS NULL
     OR b.is_opened AND NOT m.is_opened OR b.is_opened_by_person AND NOT m.is_opened_by_person
  ORDER BY m.id FOR NO KEY UPDATE OF m
), raised AS (
  UPDATE messaging_message m SET
    status = CASE
      WHEN m.channel = 'email' AND (m.is_opened OR r.is_opened)
        AND CASE WHEN r.wins THEN r.status ELSE m.status END IN ('delivered', 'opened') THEN 'opened'
      WHEN r.wins THEN r.status ELSE m.status END,
    is_opened = m.is_opened OR r.is_opened,
    is_opened_by_person = m.is_opened_by_person OR r.is_opened_by_person,
    rank = CASE WHEN r.wins THEN r.rank ELSE m.rank END,
    decided_by = CASE WHEN r.wins THEN r.key ELSE m.decided_by END,
    status_at = CASE WHEN r.wins THEN r.occurred_at ELSE m.status_at END,
    due_at = CASE
      WHEN r.wins AND r.kind = 'gave_up' THEN NULL
      WHEN r.wins THEN COALESCE(m.due_at, COALESCE(m.sent_at, r.occurred_at) + r.gives_up_after) ELSE m.due_at END,
    reason = CASE WHEN r.wins THEN r.reason ELSE m.reason END,
    code = CASE WHEN r.wins THEN r.code ELSE m.code END,
    diagnostic = CASE WHEN r.wins THEN r.diagnostic ELSE m.diagnostic END,
    said_by = CASE WHEN r.wins THEN r.said_by ELSE m.said_by END
  FROM raising r WHERE m.id = r.message_id
)
SELECT key FROM fresh
"""

# What fell due, a chunk at a time; a row that a worker or another sweep holds is left for the next round.
CLAIM_DUE: Final = """
SELECT id, channel, status, due_at, diagnostic, said_by FROM messaging_message
WHERE due_at <= %s ORDER BY due_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""

# Giving up has done so already for those that were waited for.
CLEAR_DUE: Final = "UPDATE messaging_message SET due_at = NULL WHERE id = ANY(%s) AND due_at IS NOT NULL"

PRUNE_REPORTS: Final = """
DELETE FROM messaging_report WHERE id IN (
  SELECT id FROM messaging_report WHERE received_at < %s AND next_at IS NULL
  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
"""

# By place in the table: its key says nothing about age, and the oldest lie at the front.
PRUNE_EVENTS: Final = """
DELETE FROM messaging_deliveryevent WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM messaging_deliveryevent WHERE recorded_at < %s LIMIT %s FOR UPDATE SKIP LOCKED))
"""

LAG: Final = """
SELECT COALESCE(EXTRACT(epoch FROM statement_timestamp() - min(next_at)), 0)
FROM messaging_report WHERE next_at <= statement_timestamp()
"""
