"""The set-based statements of apply.py, reports.py and sweep.py; policy is in Python, here rows only move."""

from typing import Final

KEEP_REPORT: Final = """
INSERT INTO messaging_report (provider, body, content_type, path, headers) VALUES (%s, %s, %s, %s, %s::jsonb)
"""

COUNT_REFUSAL: Final = """
INSERT INTO messaging_tally AS t (provider, hour, refused, refused_at)
VALUES (%s, date_trunc('hour', now(), 'UTC'), 1, now())
ON CONFLICT (provider, hour) DO UPDATE SET refused = t.refused + 1, refused_at = now()
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
    events = s.events, unmatched = s.unmatched, error = s.error, is_counted = true
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::int[], %s::text[])
  AS s(id, state, next_at, events, unmatched, error)
WHERE r.id = s.id
"""

MESSAGES_BY_ID: Final = "SELECT id, channel, address_id, parts FROM messaging_message WHERE id = ANY(%s::bigint[])"

# A long SMS goes by several ids where the gateway gives each of its parts one.
MESSAGES_BY_PROVIDER_ID: Final = """
WITH said AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS i(provider, provider_message_id)),
named AS (
  SELECT provider, provider_message_id, m.id
  FROM said JOIN messaging_message m USING (provider_message_id, provider)
  UNION
  SELECT provider, provider_message_id, p.message_id
  FROM said JOIN messaging_part p USING (provider_message_id, provider)
)
SELECT n.provider, n.provider_message_id, m.id, m.channel, m.address_id, m.parts
FROM named n JOIN messaging_message m ON m.id = n.id
"""

# What is new rises to its message, and is returned. One statement compares and moves: the winner's facts replace the
# old ones, being opened is only ever added, arrived parts are counted. Events go in by key and messages are locked by
# id, so that two workers wait for each other instead of dead-locking.
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
    bool_or(is_read AND NOT is_automatic) OVER (PARTITION BY message_id) AS is_opened_by_person,
    count(*) FILTER (WHERE kind = 'part_arrived') OVER (PARTITION BY message_id) AS arrived,
    max(occurred_at) FILTER (WHERE kind = 'part_arrived') OVER (PARTITION BY message_id) AS arrived_at
  FROM said s JOIN fresh USING (key) WHERE rank > 0
  ORDER BY message_id, rank DESC, key DESC
), raising AS (
  SELECT b.*, (b.rank, b.key) > (m.rank, m.decided_by) OR m.decided_by IS NULL AS wins,
    b.arrived > 0 AND m.parts_arrived + b.arrived >= m.parts AND greatest(m.rank, b.rank) < %s AS is_whole
  FROM messaging_message m JOIN best b ON m.id = b.message_id
  WHERE (b.rank, b.key) > (m.rank, m.decided_by) OR m.decided_by IS NULL
     OR b.is_opened AND NOT m.is_opened OR b.is_opened_by_person AND NOT m.is_opened_by_person OR b.arrived > 0
  ORDER BY m.id FOR NO KEY UPDATE OF m
), raised AS (
  UPDATE messaging_message m SET
    status = CASE
      WHEN r.is_whole THEN 'delivered'
      WHEN m.channel = 'email' AND (m.is_opened OR r.is_opened)
        AND CASE WHEN r.wins THEN r.status ELSE m.status END IN ('delivered', 'opened') THEN 'opened'
      WHEN r.wins THEN r.status ELSE m.status END,
    is_opened = m.is_opened OR r.is_opened,
    is_opened_by_person = m.is_opened_by_person OR r.is_opened_by_person,
    parts_arrived = m.parts_arrived + r.arrived,
    parts_arrived_at = greatest(m.parts_arrived_at, r.arrived_at),
    rank = CASE WHEN r.is_whole THEN %s WHEN r.wins THEN r.rank ELSE m.rank END,
    decided_by = CASE WHEN r.is_whole THEN %s WHEN r.wins THEN r.key ELSE m.decided_by END,
    status_at = CASE
      WHEN r.is_whole THEN greatest(m.parts_arrived_at, r.arrived_at)
      WHEN r.wins THEN r.occurred_at ELSE m.status_at END,
    due_at = CASE
      WHEN r.wins AND r.kind = 'gave_up' THEN NULL
      WHEN r.wins THEN COALESCE(m.due_at, COALESCE(m.sent_at, r.occurred_at) + r.gives_up_after) ELSE m.due_at END,
    reason = CASE WHEN r.is_whole THEN '' WHEN r.wins THEN r.reason ELSE m.reason END,
    code = CASE WHEN r.is_whole THEN '' WHEN r.wins THEN r.code ELSE m.code END,
    diagnostic = CASE WHEN r.is_whole THEN '' WHEN r.wins THEN r.diagnostic ELSE m.diagnostic END,
    said_by = CASE WHEN r.is_whole THEN '' WHEN r.wins THEN r.said_by ELSE m.said_by END
  FROM raising r WHERE m.id = r.message_id
)
SELECT key FROM fresh
"""

# What fell due, a chunk at a time: those still waited for get their event and their status, and all of them leave the
# list. Only messages that nobody holds are taken (the next round takes the others), so this waits for no worker; and a
# message that is still waited for has no event as great as this one (statuses.MEANING), so there is nothing to compare.
GIVE_UP: Final = """
WITH due AS (
  SELECT m.id, due_at, diagnostic, said_by, w.given_up, w.given_up IS NOT NULL AS is_late,
    (%s + (extract(epoch FROM due_at) * 1000000)::bigint * %s) AS rank,
    encode(substring(sha256(convert_to(%s || m.id, 'UTF8')) FOR 16), 'hex')::uuid AS key
  FROM messaging_message m
  LEFT JOIN unnest(%s::text[], %s::text[], %s::text[]) AS w(channel, waiting, given_up)
    ON w.channel = m.channel AND w.waiting = m.status
  WHERE due_at <= %s ORDER BY due_at, m.id LIMIT %s FOR NO KEY UPDATE OF m SKIP LOCKED
), recorded AS (
  INSERT INTO messaging_deliveryevent (key, message_id, provider, kind, occurred_at, reason, diagnostic, said_by)
  SELECT key, id, %s, %s, due_at, %s, diagnostic, said_by FROM due WHERE is_late ORDER BY key
  ON CONFLICT (key) DO NOTHING
), given_up AS (
  UPDATE messaging_message m SET
    due_at = NULL,
    status = CASE WHEN is_late THEN d.given_up ELSE m.status END,
    rank = CASE WHEN is_late THEN d.rank ELSE m.rank END,
    decided_by = CASE WHEN is_late THEN d.key ELSE m.decided_by END,
    status_at = CASE WHEN is_late THEN d.due_at ELSE m.status_at END,
    reason = CASE WHEN is_late THEN %s ELSE m.reason END,
    code = CASE WHEN is_late THEN '' ELSE m.code END
  FROM due d WHERE m.id = d.id
)
SELECT count(*), count(*) FILTER (WHERE is_late) FROM due
"""

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

# Workers wait for each other at these rows, so they are written in order, and last in a batch.
COUNT_REPORTS: Final = """
INSERT INTO messaging_tally AS t (provider, hour, reports, events, unreadable, unmatched, set_aside, last_at)
SELECT * FROM unnest(
    %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::timestamptz[]) AS c(provider, hour, reports, events, unreadable, unmatched, set_aside, last_at)
ORDER BY provider, hour
ON CONFLICT (provider, hour) DO UPDATE SET
  reports = t.reports + excluded.reports, events = t.events + excluded.events,
  unreadable = t.unreadable + excluded.unreadable, unmatched = t.unmatched + excluded.unmatched,
  set_aside = t.set_aside + excluded.set_aside, last_at = GREATEST(t.last_at, excluded.last_at)
"""

# A provider that puts a number of its own into every code must not fill the table: beyond so many, no new ones.
COUNT_UNLISTED: Final = """
INSERT INTO messaging_unlistedcode AS u (provider, space, code, count, first_at, last_at, report_id)
SELECT c.* FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
  AS c(provider, space, code, count, first_at, last_at, report_id)
WHERE (c.provider, c.space, c.code) IN (SELECT k.provider, k.space, k.code FROM messaging_unlistedcode k)
   OR (SELECT count(*) FROM messaging_unlistedcode k WHERE k.provider = c.provider) < 500
ORDER BY provider, space, code
ON CONFLICT (provider, space, code) DO UPDATE SET
  count = u.count + excluded.count, first_at = LEAST(u.first_at, excluded.first_at),
  last_at = GREATEST(u.last_at, excluded.last_at), report_id = GREATEST(u.report_id, excluded.report_id)
"""

# By provider, over all hours: a few thousand rows for each provider and year.
TOTALS: Final = """
SELECT provider, sum(reports), sum(events), sum(unreadable), sum(unmatched), sum(set_aside), sum(refused), max(last_at)
FROM messaging_tally GROUP BY provider ORDER BY provider
"""

# No more are counted than anybody would want to know.
INBOX: Final = "SELECT count(*) FROM (SELECT 1 FROM messaging_report WHERE next_at <= statement_timestamp() LIMIT %s) r"
OVERDUE: Final = (
    "SELECT count(*) FROM (SELECT 1 FROM messaging_message WHERE due_at <= statement_timestamp() LIMIT %s) m"
)

RAISE_ALARM: Final = """
INSERT INTO messaging_alarm (provider, kind, started_at) VALUES (%s, %s, %s)
ON CONFLICT (provider, kind) WHERE ended_at IS NULL DO NOTHING
"""

# What was recorded of an address and happened after the proof of its block. Messages are found by their contact: they
# have no index by address. One whose status is older than the proof, and that nobody read, has no such event.
EVENTS_SINCE_BLOCK: Final = """
WITH due AS (SELECT address_id, started_at FROM contacts_block WHERE id = ANY(%s) AND ended_at IS NULL)
SELECT d.address_id, e.occurred_at, e.kind, e.is_automatic, m.id
FROM due d
JOIN contacts_contact c ON c.email_address_id = d.address_id OR c.mobile_address_id = d.address_id
JOIN messaging_message m ON m.contact_id = c.id AND m.address_id = d.address_id
  AND (m.status_at > d.started_at OR m.is_opened OR m.parts_arrived_at > d.started_at)
JOIN messaging_deliveryevent e ON e.message_id = m.id AND e.occurred_at > d.started_at AND e.kind = ANY(%s)
"""
