"""The statements that keep what became of send-outs, and those that read it."""

from typing import Final

LOOKING: Final = 0x4F7574636F6D65  # a number of our own among PostgreSQL's advisory locks
TRY_LOOKING: Final = f"SELECT pg_try_advisory_xact_lock({LOOKING})"
LOCK_LOOKING: Final = f"SELECT pg_advisory_xact_lock({LOOKING})"

# Up to when no event can turn up any more. An event is recorded at the start of its statement, so whoever has yet to
# commit one began before it: a transaction that has written, or else a statement that runs. The margin is for a
# statement that has begun and does not show yet.
HORIZON: Final = """
SELECT LEAST(statement_timestamp() - %s::interval, min(CASE
  WHEN backend_xid IS NOT NULL THEN xact_start
  WHEN state = 'active' THEN query_start END))
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

# Send-outs with messages that nobody has looked at yet.
NEW_SEND_OUTS: Final = """
INSERT INTO messaging_outcome (send_out_id)
SELECT s.id FROM messaging_sendout s
WHERE NOT EXISTS (SELECT FROM messaging_outcome o WHERE o.send_out_id = s.id)
  AND EXISTS (SELECT FROM messaging_message m WHERE m.send_out_id = s.id)
ORDER BY s.id LIMIT %s ON CONFLICT DO NOTHING RETURNING send_out_id
"""
# All stretches of a send-out, by its messages.
MARK_ALL: Final = """
INSERT INTO messaging_stretch AS t (send_out_id, number, changed_at)
SELECT %(send_out)s, number, %(at)s
FROM (SELECT DISTINCT id / %(size)s AS number FROM messaging_message WHERE send_out_id = %(send_out)s) AS n
ON CONFLICT (send_out_id, number) DO UPDATE SET changed_at = COALESCE(t.changed_at, excluded.changed_at)
"""
MARK_KNOWN: Final = """
UPDATE messaging_stretch SET changed_at = COALESCE(changed_at, %s) WHERE send_out_id = %s
"""
MARK_MESSAGES: Final = """
INSERT INTO messaging_stretch AS t (send_out_id, number, changed_at)
SELECT DISTINCT send_out_id, id / %s, statement_timestamp() FROM messaging_message
WHERE id = ANY(%s::bigint[]) AND send_out_id IS NOT NULL ORDER BY 1, 2
ON CONFLICT (send_out_id, number) DO UPDATE SET changed_at = COALESCE(t.changed_at, excluded.changed_at)
"""
# Rows that were made since we last looked: the stretches from the last known message to the last one.
MARK_ROWS: Final = """
WITH grown AS (
  SELECT o.send_out_id, COALESCE(o.rows_until, p.first_message) AS first, p.last_message AS last
  FROM messaging_outcome o JOIN messaging_progress p USING (send_out_id)
  WHERE p.last_message IS NOT NULL AND o.rows_until IS DISTINCT FROM p.last_message
), noted AS (
  UPDATE messaging_outcome o SET rows_until = g.last FROM grown g WHERE o.send_out_id = g.send_out_id
)
INSERT INTO messaging_stretch AS t (send_out_id, number, changed_at)
SELECT send_out_id, number, %(at)s FROM grown, generate_series(first / %(size)s, last / %(size)s) AS number
ON CONFLICT (send_out_id, number) DO UPDATE SET changed_at = COALESCE(t.changed_at, excluded.changed_at)
"""

# The domains of a send-out, the most messages first, then by name. What is in the control group goes nowhere.
RANK: Final = """
SELECT domain FROM (
  SELECT count(*) AS n,
    (SELECT split_part(a.value, '@', -1) FROM contacts_address a WHERE a.id = m.address_id) AS domain
  FROM messaging_message m
  WHERE m.send_out_id = %s AND m.channel = 'email' AND m.status <> 'control_group'
  GROUP BY domain
) AS d ORDER BY n DESC, domain LIMIT %s
"""
TO_RANK: Final = """
SELECT o.send_out_id, o.rows_until, o.domains FROM messaging_outcome o
JOIN messaging_progress p USING (send_out_id)
WHERE o.rows_until IS DISTINCT FROM o.ranked_until AND (p.rows_done_at IS NOT NULL OR o.ranked_until IS NULL)
"""

# What the events of `news` are called in Heard: by their kind; of programs by another name; `clickers` are the clicks
# of people on any link, `readers` those and their opens. Nobody's wish that is not proven is among them. Of opens,
# clicks, complaints and unsubscribing it is asked, too, whether the message had one before: within this window, or
# before it.
_HEARD: Final = """
told AS (
  SELECT n.*, date_trunc(CASE WHEN at < n.created_at + interval '7 days' THEN 'hour' ELSE 'day' END, at, 'UTC') AS hour
  FROM news n, LATERAL (SELECT greatest(n.occurred_at, n.created_at) AS at) AS a
), named AS (
  SELECT t.*, CASE WHEN is_automatic AND kind IN ('opened', 'clicked') THEN 'auto_' || kind ELSE kind END AS figure,
    CASE WHEN kind = 'clicked' THEN provider_code ELSE '' END AS link
  FROM told t WHERE kind IN ('opened', 'clicked', 'complained', 'unsubscribed') AND is_proven
  UNION ALL
  SELECT t.*, 'clickers', '' FROM told t WHERE kind = 'clicked' AND NOT is_automatic
  UNION ALL
  SELECT t.*, 'readers', '' FROM told t WHERE kind IN ('opened', 'clicked') AND NOT is_automatic
), counted AS (
  SELECT send_out_id, hour, figure, link, count(*) AS events, count(*) FILTER (WHERE turn = 1 AND NOT EXISTS (
    SELECT FROM messaging_deliveryevent e
    WHERE e.message_id = m.message_id AND e.recorded_at < %(since)s
      AND (e.kind = m.kind OR m.figure = 'readers' AND e.kind IN ('opened', 'clicked'))
      AND (m.kind NOT IN ('opened', 'clicked') OR e.is_automatic = m.is_automatic)
      AND (m.figure NOT IN ('clicked', 'auto_clicked') OR e.provider_code = m.link)
      AND (m.is_sms OR e.caveat NOT IN ('guessed', 'named')))) AS messages
  FROM (SELECT *, row_number() OVER (PARTITION BY message_id, figure, link ORDER BY occurred_at, key) AS turn
        FROM named) AS m
  GROUP BY send_out_id, hour, figure, link
  UNION ALL
  SELECT send_out_id, hour, kind, '', count(*), count(*) FROM told
  WHERE kind IN ('delivered', 'soft_bounce', 'hard_bounce', 'failed', 'expired', 'gave_up')
  GROUP BY send_out_id, hour, kind
)
"""
_KEEP_HEARD: Final = """
INSERT INTO messaging_heard AS h (send_out_id, hour, figure, link, events, messages)
SELECT send_out_id, hour, figure, link, {sign}events, {sign}messages FROM counted
ORDER BY send_out_id, hour, figure, link
ON CONFLICT (send_out_id, hour, figure, link) DO UPDATE
SET events = h.events + excluded.events, messages = h.messages + excluded.messages
"""
_EVENT: Final = (
    "e.key, e.message_id, e.kind, e.occurred_at, e.is_automatic, e.provider_code, m.send_out_id, s.created_at,"
    " m.channel = 'sms' AS is_sms, m.channel = 'sms' OR e.caveat NOT IN ('guessed', 'named') AS is_proven"
)
# What was recorded from `since` until `until`: which stretches it changed, and what is to be added to Heard.
_READ_NEWS: Final = """
WITH news AS MATERIALIZED (
  SELECT {event} FROM messaging_deliveryevent e
  JOIN messaging_message m ON m.id = e.message_id JOIN messaging_sendout s ON s.id = m.send_out_id
  WHERE e.recorded_at >= %(since)s AND e.recorded_at < %(until)s
), marked AS (
  INSERT INTO messaging_stretch AS t (send_out_id, number, changed_at)
  SELECT DISTINCT send_out_id, message_id / %(size)s, %(since)s::timestamptz FROM news ORDER BY 1, 2
  ON CONFLICT (send_out_id, number) DO UPDATE SET changed_at = COALESCE(t.changed_at, excluded.changed_at)
), {heard}, kept AS ({keep})
SELECT count(*) FROM news
"""
READ_NEWS: Final = _READ_NEWS.format(event=_EVENT, heard=_HEARD, keep=_KEEP_HEARD.format(sign=""))
FORGET_HEARD: Final = "DELETE FROM messaging_heard WHERE send_out_id = %s"
_COUNT_HEARD: Final = """
WITH news AS MATERIALIZED (
  SELECT {event} FROM messaging_message m JOIN messaging_sendout s ON s.id = m.send_out_id
  JOIN messaging_deliveryevent e ON e.message_id = m.id
  WHERE m.send_out_id = %(send_out)s AND e.recorded_at < %(until)s
), {heard} {keep}
"""
COUNT_HEARD: Final = _COUNT_HEARD.format(event=_EVENT, heard=_HEARD, keep=_KEEP_HEARD.format(sign=""))
# What was counted of the opens and clicks of some messages: added again, or taken away.
_HEARD_OF_SOME: Final = """
WITH news AS MATERIALIZED (
  SELECT {event} FROM messaging_message m JOIN messaging_sendout s ON s.id = m.send_out_id
  JOIN messaging_deliveryevent e ON e.message_id = m.id
  WHERE m.id = ANY(%(messages)s) AND e.recorded_at < %(until)s AND e.kind IN ('opened', 'clicked')
), {heard} {keep}
"""
HEAR: Final = _HEARD_OF_SOME.format(event=_EVENT, heard=_HEARD, keep=_KEEP_HEARD.format(sign=""))
UNHEAR: Final = _HEARD_OF_SOME.format(event=_EVENT, heard=_HEARD, keep=_KEEP_HEARD.format(sign="-"))

# Each stretch by itself, and the domain of each address looked up by itself: so PostgreSQL has no chance to read whole
# tables for a few thousand messages.
COUNT_STRETCHES: Final = """
WITH due AS (
  SELECT t.id, t.send_out_id, t.number, o.domains
  FROM messaging_stretch t JOIN messaging_outcome o USING (send_out_id)
  WHERE t.changed_at IS NOT NULL ORDER BY t.changed_at, t.id LIMIT %(limit)s
), shown AS (
  SELECT d.id, f.key, sum(g.n) AS n
  FROM due d
  CROSS JOIN LATERAL (
    SELECT m.status, m.is_opened, m.is_opened_by_person,
      CASE WHEN m.status <> ALL(%(reasoned)s::text[]) THEN ''
        WHEN m.reason = 'expired' AND m.code = '' THEN 'gave_up' ELSE m.reason END AS reason,
      CASE WHEN m.channel = 'email' AND m.status <> 'control_group' THEN
        (SELECT CASE WHEN d.domains ? split_part(a.value, '@', -1) THEN split_part(a.value, '@', -1) ELSE '' END
         FROM contacts_address a WHERE a.id = m.address_id) END AS domain,
      CASE WHEN m.status = 'deferred' THEN extract(epoch FROM date_trunc('hour', next_attempt_at))::bigint END AS next,
      CASE WHEN m.status = 'deferred' THEN extract(epoch FROM date_trunc('hour', due_at))::bigint END AS due,
      count(*) AS n
    FROM messaging_message m
    WHERE m.id >= d.number * %(size)s AND m.id < (d.number + 1) * %(size)s AND m.send_out_id = d.send_out_id
    GROUP BY 1, 2, 3, 4, 5, 6, 7
  ) AS g
  CROSS JOIN LATERAL (VALUES
    ('status/' || g.status),
    ('domain/' || g.domain || '/' || g.status),
    (CASE WHEN g.status = ANY(%(reasoned)s::text[]) THEN 'reason/' || g.status || '/' || g.reason END),
    (CASE WHEN g.is_opened_by_person THEN 'opened/person' WHEN g.is_opened THEN 'opened/program' END),
    ('next/' || g.next),
    ('due/' || g.due)
  ) AS f(key)
  WHERE f.key IS NOT NULL GROUP BY d.id, f.key
)
UPDATE messaging_stretch t SET changed_at = NULL,
  counts = COALESCE((SELECT jsonb_object_agg(s.key, s.n) FROM shown s WHERE s.id = t.id), '{}')
FROM due d WHERE t.id = d.id RETURNING t.send_out_id
"""
SUM_UP: Final = """
UPDATE messaging_outcome o SET counts = COALESCE((
  SELECT jsonb_object_agg(key, n) FROM (
    SELECT c.key, sum(c.value::bigint) AS n FROM messaging_stretch t, jsonb_each_text(t.counts) AS c
    WHERE t.send_out_id = o.send_out_id GROUP BY c.key) AS s), '{}')
WHERE o.send_out_id = ANY(%s)
"""

# Up to when all is counted of a send-out.
AS_OF: Final = """
SELECT COALESCE((
  SELECT min(changed_at) FROM messaging_stretch WHERE send_out_id = %s AND changed_at IS NOT NULL), until)
FROM messaging_readupto
"""
HEARD: Final = """
SELECT figure, link, sum(events)::bigint, sum(messages)::bigint FROM messaging_heard WHERE send_out_id = %s
GROUP BY figure, link
"""
# The stretches with messages of a key, the last ones first, until they have enough of them. Of the first one an unknown
# part was shown already; what has changed since it was counted may have any number.
WHERE_ARE: Final = """
SELECT number FROM (
  SELECT number, n, sum(n) OVER (ORDER BY number DESC) - n AS above FROM (
    SELECT number, CASE WHEN changed_at IS NULL AND number < %(last)s THEN (counts->>%(key)s)::bigint ELSE 0 END AS n
    FROM messaging_stretch
    WHERE send_out_id = %(send_out)s AND number <= %(last)s AND (counts ? %(key)s OR changed_at IS NOT NULL)
  ) AS counted
) AS summed WHERE above < %(enough)s ORDER BY number DESC LIMIT %(most)s
"""
