"""The set-based statements of the inbox and the ledger; policy is in Python, here rows only move."""

from typing import Final

from messaging.status.order import GUESSES

# Whether what a message shows is more than a guess.
IS_PROVEN: Final = f"NOT m.rank BETWEEN {GUESSES.start} AND {GUESSES.stop - 1}"

KEEP_REPORT: Final = """
INSERT INTO messaging_report (provider, body, content_type, path, headers) VALUES (%s, %s, %s, %s, %s::jsonb)
"""

COUNT_REFUSAL: Final = """
INSERT INTO messaging_tally AS t (provider, hour, refused, refused_at)
VALUES (%s, date_trunc('hour', now(), 'UTC'), 1, now())
ON CONFLICT (provider, hour) DO UPDATE SET refused = t.refused + 1, refused_at = now()
"""

COUNT_MAIL: Final = """
INSERT INTO messaging_tally AS t (provider, hour, dropped, put_off)
VALUES (%s, date_trunc('hour', now(), 'UTC'), %s, %s)
ON CONFLICT (provider, hour)
DO UPDATE SET dropped = t.dropped + excluded.dropped, put_off = t.put_off + excluded.put_off
"""

# What another worker has claimed is passed over, and so is what a worker left behind as it died. The last column says
# whether there may be any of that.
CLAIM_REPORTS: Final = """
WITH due AS (
  SELECT id, octet_length(body) AS size FROM messaging_report
  WHERE next_at <= statement_timestamp() AND id NOT IN (SELECT unnest(reports) FROM messaging_claim)
  ORDER BY next_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
), chosen AS (
  SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM due) d WHERE before < %s
), claimed AS (
  INSERT INTO messaging_claim (reports) SELECT array_agg(id) FROM chosen HAVING count(*) > 0 RETURNING id
)
SELECT (SELECT id FROM claimed), EXISTS (
  SELECT 1 FROM messaging_claim
  WHERE coalesce(taken_at, '-infinity') < statement_timestamp() - make_interval(secs => %s))
"""

# A claim is held by a lock from here on, and goes with the transaction that settles its reports.
HOLD_CLAIM: Final = """
WITH held AS (DELETE FROM messaging_claim WHERE id = %s RETURNING reports)
SELECT id FROM messaging_report
WHERE id = ANY((SELECT reports FROM held)::bigint[]) AND next_at <= statement_timestamp()
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""

CLAIMED_REPORTS: Final = """
SELECT id, provider, received_at, path, content_type, headers, state, tries, is_counted,
  CASE WHEN %s THEN body ELSE '' END
FROM messaging_report WHERE id = ANY(%s) ORDER BY id
"""

# Claims that nobody holds: those of workers that died, and single reports out of them that wait for their turn. What
# was claimed just now may not be held yet.
LEFT_BEHIND: Final = """
SELECT id, deaths, taken_at IS NULL, (
  SELECT coalesce(array_agg(r.id ORDER BY r.id), '{}') FROM messaging_report r
  WHERE r.id = ANY(reports) AND r.next_at <= statement_timestamp())
FROM messaging_claim WHERE coalesce(taken_at, '-infinity') < statement_timestamp() - make_interval(secs => %s)
ORDER BY cardinality(reports) DESC, deaths, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
RETAKE_CLAIM: Final = "UPDATE messaging_claim SET deaths = %s, taken_at = statement_timestamp() WHERE id = %s"
ONE_BY_ONE: Final = """
INSERT INTO messaging_claim (reports, deaths, taken_at) SELECT ARRAY[id], %s, NULL FROM unnest(%s::bigint[]) AS i(id)
"""

SETTLE_REPORTS: Final = """
UPDATE messaging_report r
SET state = s.state, next_at = s.next_at, tries = r.tries + 1,
    events = s.events, unmatched = s.unmatched, error = s.error, is_counted = true
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::int[], %s::text[])
  AS s(id, state, next_at, events, unmatched, error)
WHERE r.id = s.id
"""

MESSAGES_BY_ID: Final = "SELECT id, channel, address_id FROM messaging_message WHERE id = ANY(%s::bigint[])"
PARTS: Final = "SELECT id, parts FROM messaging_message WHERE id = ANY(%s::bigint[])"

# A long SMS goes by several ids where the gateway gives each of its parts one.
MESSAGES_BY_PROVIDER_ID: Final = """
WITH said AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS i(provider, provider_message_id))
SELECT provider, provider_message_id, m.id, false FROM said
JOIN messaging_message m USING (provider_message_id, provider)
UNION
SELECT provider, provider_message_id, p.message_id, p.is_guessed FROM said
JOIN messaging_part p USING (provider_message_id, provider)
"""
# By an id that the SMSC writes in another way than it should: only of the SMS that went to the number of the receipt.
MESSAGES_BY_OTHER_ID: Final = """
WITH said AS (
  SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS i(provider, said_id, other_id, number)
), found AS (
  SELECT s.*, m.id AS message_id FROM said s
  JOIN messaging_message m ON m.provider_message_id = s.other_id AND m.provider = s.provider
  UNION ALL
  SELECT s.*, p.message_id FROM said s
  JOIN messaging_part p ON p.provider_message_id = s.other_id AND p.provider = s.provider AND NOT p.is_guessed
)
SELECT f.provider, f.said_id, m.id FROM found f
JOIN messaging_message m ON m.id = f.message_id JOIN contacts_address a ON a.id = m.address_id AND a.value = f.number
"""

# The newest email to an address, sent within some days before a moment, by way of the contact who has the address now.
# Not where two contacts share it and both got one: then nothing says whose it is. The moment is a foreign server's.
MESSAGES_BY_ADDRESS: Final = """
WITH said AS (SELECT * FROM unnest(%s::int[], %s::text[], %s::timestamptz[]) AS s(place, address, occurred_at)),
holders AS (
  SELECT s.place, s.occurred_at, a.id AS address_id, c.id AS contact_id
  FROM said s
  JOIN contacts_address a ON a.channel = 'email' AND a.value = s.address
  CROSS JOIN LATERAL (
    SELECT id, count(*) OVER () AS sharers
    FROM (SELECT id FROM contacts_contact WHERE email_address_id = a.id LIMIT 11) first
  ) c
  WHERE c.sharers <= 10
), found AS (
  SELECT h.place, m.id,
    row_number() OVER (PARTITION BY h.place ORDER BY m.sent_at DESC, m.id DESC) AS newest,
    min(h.contact_id) OVER (PARTITION BY h.place) = max(h.contact_id) OVER (PARTITION BY h.place) AS is_of_one
  FROM holders h
  CROSS JOIN LATERAL (
    SELECT * FROM messaging_message WHERE contact_id = h.contact_id ORDER BY id DESC LIMIT 50
  ) m
  WHERE m.address_id = h.address_id AND m.channel = 'email'
    AND m.sent_at > h.occurred_at - make_interval(days => %s) AND m.sent_at <= h.occurred_at + interval '10 minutes'
)
SELECT place, id FROM found WHERE newest = 1 AND is_of_one
"""

# The newest SMS to a number, sent within some days before a moment, by way of whoever has the number now, or had it
# before. What somebody wants who answers is about the number, so it does not matter which of those who share it got
# that SMS.
SMS_BY_NUMBER: Final = """
WITH said AS (SELECT * FROM unnest(%s::int[], %s::text[], %s::timestamptz[]) AS s(place, number, occurred_at))
SELECT DISTINCT ON (s.place) s.place, m.id
FROM said s
JOIN contacts_address a ON a.channel = 'sms' AND a.value = s.number
CROSS JOIN LATERAL (
  (SELECT id FROM contacts_contact WHERE mobile_address_id = a.id LIMIT 11)
  UNION (SELECT contact_id FROM contacts_formeraddress WHERE address_id = a.id LIMIT 11)
) c
CROSS JOIN LATERAL (SELECT * FROM messaging_message WHERE contact_id = c.id ORDER BY id DESC LIMIT 50) m
WHERE m.address_id = a.id AND m.sent_at > s.occurred_at - make_interval(days => %s)
  AND m.sent_at <= s.occurred_at + interval '10 minutes'
ORDER BY s.place, m.sent_at DESC, m.id DESC
"""

# The SMS in doubt that receipts with an id of nobody's are about, and how many of its parts have no id yet: the only
# one to that number and in that time of which this can be said. It left after its last attempt was marked, and before
# it was known to be in doubt; a slice has left within ten minutes, however slow its servers are. One that may
# be on its way just now counts against it: its id may be about to be written down. A reference that came back decides;
# the sender, which some SMSCs replace, is asked where there is none.
UNKNOWN_OUTCOME_SMS: Final = """
WITH said AS (
  SELECT * FROM unnest(
      %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[])
    AS s(place, provider, number, sender, reference, since, until)
), holders AS (
  SELECT s.*, a.id AS address_id, c.id AS contact_id
  FROM said s
  JOIN contacts_address a ON a.channel = 'sms' AND a.value = s.number
  CROSS JOIN LATERAL (
    SELECT id, count(*) OVER () AS sharers
    FROM (SELECT id FROM contacts_contact WHERE mobile_address_id = a.id LIMIT 11) first
  ) c
  WHERE c.sharers <= 10
), possible AS (
  SELECT h.place, m.id, f.places, e.doubted_at IS NOT NULL AS is_in_doubt
  FROM holders h
  CROSS JOIN LATERAL (
    SELECT * FROM messaging_message WHERE contact_id = h.contact_id ORDER BY id DESC LIMIT 50
  ) m
  LEFT JOIN messaging_content k ON k.id = m.content_id
  LEFT JOIN messaging_sendout o ON o.id = COALESCE(m.send_out_id, k.send_out_id)
  CROSS JOIN LATERAL (
    SELECT max(occurred_at) FILTER (WHERE caveat = 'in_doubt') AS doubted_at,
      max(occurred_at) FILTER (WHERE kind = 'deferred' AND report_id IS NULL) AS put_off_at
    FROM messaging_deliveryevent WHERE message_id = m.id
  ) e
  CROSS JOIN LATERAL (
    SELECT m.parts - (m.provider_message_id IS NOT NULL)::int - count(*) AS places
    FROM messaging_part WHERE message_id = m.id
  ) f
  WHERE m.address_id = h.address_id AND m.provider = h.provider AND m.attempts > 0 AND f.places > 0
    AND (e.doubted_at IS NOT NULL OR m.status IN ('waiting', 'unknown'))
    AND COALESCE(e.put_off_at, m.sent_at) <= h.until
    AND COALESCE(LEAST(e.doubted_at, CASE WHEN m.attempts = 1 THEN m.sent_at + interval '10 minutes' END), 'infinity')
      >= h.since
    AND CASE WHEN h.reference > 0 THEN m.id & 65535 = h.reference
      ELSE h.sender = '' OR lower(ltrim(COALESCE(o.sender, ''), '+')) IN ('', lower(ltrim(h.sender, '+'))) END
)
SELECT place, min(id), min(places) FROM possible GROUP BY place HAVING count(*) = 1 AND bool_and(is_in_doubt)
"""
# Whoever does not get this looks again later: nobody waits, and no two give the same place away.
TRY_SETTLING: Final = f"SELECT pg_try_advisory_xact_lock({0x446F75627473})"
# Not an id that hand-over has just written down: its message was no longer on its way when DOUBTFUL_SMS looked.
NAME_GUESSED: Final = """
INSERT INTO messaging_part (provider_message_id, provider, message_id, is_guessed)
SELECT name, provider, message_id, true
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS n(name, provider, message_id)
WHERE NOT EXISTS (
  SELECT FROM messaging_message m WHERE m.provider_message_id = n.name AND m.provider = n.provider)
ORDER BY name, provider
ON CONFLICT (provider_message_id, provider) DO NOTHING
RETURNING provider, provider_message_id, message_id
"""

# Whose messages these are, and the address of the same channel that they have now.
HOLDERS_OF_MESSAGES: Final = """
SELECT m.id, c.id, CASE m.channel WHEN 'email' THEN c.email_address_id ELSE c.mobile_address_id END
FROM messaging_message m JOIN contacts_contact c ON c.id = m.contact_id WHERE m.id = ANY(%s::bigint[])
"""
MAKE_NUMBERS: Final = """
INSERT INTO contacts_address (channel, value) SELECT 'sms', unnest(%s::text[])
ON CONFLICT (channel, value) DO NOTHING
"""
NUMBERS: Final = "SELECT value, id FROM contacts_address WHERE channel = 'sms' AND value = ANY(%s::text[])"
ADDRESSES_OF_MESSAGES: Final = """
SELECT m.id, a.value FROM messaging_message m JOIN contacts_address a ON a.id = m.address_id
WHERE m.id = ANY(%s::bigint[])
"""

# What is new rises to its message. Events come as what they share with others (`shape`: few of them in a batch) and
# as what is their own. Messages are locked by id, then events go in by message, so that two workers wait for each
# other and do not dead-lock. One statement compares and moves: the winner's facts replace the old ones, being opened
# is only ever added, arrived parts are counted. What moved is appended for the totals of the send-outs
# (sendouts/totals.py), where nobody waits for anybody. Returned are the events whose message is not there (without an
# address), and of those that are new the ones that matter for their address: by themselves (`weight` 2), or where it
# is blocked or is now (1). Of a hard bounce of an SMS it is told whether anything of that SMS arrived: then the number
# exists, and the message has failed. That is asked so that only an index by address can answer: while a table is new to
# PostgreSQL it would take any other.
RECORD_EVENTS: Final = """
WITH shape AS (
  SELECT * FROM unnest(
      %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::text[],
      %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::interval[],
      %s::interval[], %s::int[])
    WITH ORDINALITY
    AS h(provider, kind, reason, reply_code, status_code, provider_code, said_by, is_automatic, caveat,
         certainty, code, email_place, sms_place, email_status, sms_status, is_read, email_waits, sms_waits, weight,
         shape)
), said AS (
  SELECT *, to_timestamp(microseconds / 1000000::float8) AS occurred_at
  FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[])
    WITH ORDINALITY AS s(key, message_id, report_id, microseconds, diagnostic, shape, number)
), told AS MATERIALIZED (
  SELECT s.number, s.key, s.message_id, m.address_id, m.channel, h.weight, h.kind,
    coalesce(CASE m.channel WHEN 'email' THEN h.email_place ELSE h.sms_place END + (CASE
      WHEN s.occurred_at < c.possible_from THEN (extract(epoch FROM c.possible_from) * 1000000)::bigint
      ELSE greatest(s.microseconds, 0) END << %s), 0) AS rank,
    greatest(s.occurred_at, c.possible_from) AS occurred_at, h.is_read, h.is_automatic,
    CASE m.channel WHEN 'email' THEN h.email_status ELSE h.sms_status END AS status,
    CASE m.channel WHEN 'email' THEN h.email_waits ELSE h.sms_waits END AS gives_up_after,
    h.reason, h.code, s.diagnostic, h.said_by,
    m.send_out_id, m.status AS was, m.rank AS rank_before, m.decided_by AS decided_before,
    m.is_opened AS opened_before, m.is_opened_by_person AS opened_by_person_before, m.parts, m.parts_arrived,
    s.report_id, h.provider, h.reply_code, h.status_code, h.provider_code, h.caveat, h.certainty
  FROM said s LEFT JOIN shape h USING (shape) JOIN messaging_message m ON m.id = s.message_id
  CROSS JOIN LATERAL (SELECT coalesce(m.sent_at, m.created_at) AS possible_from) c
  ORDER BY m.id FOR NO KEY UPDATE OF m
), fresh AS (
  INSERT INTO messaging_deliveryevent (
    key, message_id, report_id, provider, kind, occurred_at,
    reason, reply_code, status_code, provider_code, diagnostic, said_by, is_automatic, caveat, certainty)
  SELECT key, message_id, report_id, provider, kind, occurred_at,
    reason, reply_code, status_code, provider_code, diagnostic, said_by, is_automatic, caveat, certainty
  FROM told ORDER BY message_id, key
  ON CONFLICT (message_id, key) DO NOTHING
  RETURNING key
), best AS (
  SELECT DISTINCT ON (message_id)
    message_id, key, kind, rank, occurred_at, status, gives_up_after, reason, code, diagnostic, said_by,
    send_out_id, was, rank_before, decided_before, opened_before, opened_by_person_before, parts, parts_arrived,
    bool_or(is_read) OVER of_message AS is_opened,
    bool_or(is_read AND NOT is_automatic) OVER of_message AS is_opened_by_person,
    channel, channel = 'sms' AND bool_or(kind = 'part_arrived' OR kind = 'delivered' AND rank >= %s) OVER of_message
      AS is_taken,
    count(*) FILTER (WHERE kind = 'part_arrived') OVER of_message AS arrived,
    max(occurred_at) FILTER (WHERE kind = 'part_arrived') OVER of_message AS arrived_at
  FROM told WHERE rank > 0 AND key IN (SELECT key FROM fresh)
  WINDOW of_message AS (
    PARTITION BY message_id ORDER BY rank DESC, key DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
  ORDER BY message_id, rank DESC, key DESC
), raising AS (
  SELECT b.*,
    b.is_taken OR b.channel = 'sms' AND b.parts_arrived > 0 AS has_arrived,
    (b.rank, b.key) > (b.rank_before, b.decided_before) OR b.decided_before IS NULL AS wins,
    b.arrived > 0 AND b.parts_arrived + b.arrived >= b.parts AND greatest(b.rank_before, b.rank) < %s AS is_whole
  FROM best b
), raised AS (
  UPDATE messaging_message m SET
    status = CASE
      WHEN r.is_whole THEN 'delivered'
      WHEN m.channel = 'email' AND (m.is_opened OR r.is_opened)
        AND CASE WHEN r.wins THEN r.status ELSE m.status END IN ('delivered', 'opened') THEN 'opened'
      WHEN r.has_arrived AND CASE WHEN r.wins THEN r.status ELSE m.status END = 'hard_bounce' THEN 'failed'
      WHEN r.wins THEN r.status ELSE m.status END,
    is_opened = m.is_opened OR r.is_opened,
    is_opened_by_person = m.is_opened_by_person OR r.is_opened_by_person,
    parts_arrived = greatest(m.parts_arrived + r.arrived, r.is_taken::int),
    parts_arrived_at = greatest(m.parts_arrived_at, r.arrived_at),
    rank = CASE WHEN r.is_whole THEN %s WHEN r.wins THEN r.rank ELSE m.rank END,
    decided_by = CASE WHEN r.is_whole THEN %s WHEN r.wins THEN r.key ELSE m.decided_by END,
    status_at = CASE
      WHEN r.is_whole THEN greatest(m.parts_arrived_at, r.arrived_at)
      WHEN r.wins THEN r.occurred_at ELSE m.status_at END,
    due_at = CASE
      WHEN r.wins AND r.kind = 'gave_up' THEN NULL
      WHEN r.wins THEN COALESCE(m.due_at, COALESCE(m.sent_at, r.occurred_at) + r.gives_up_after) ELSE m.due_at END,
    reason = CASE
      WHEN r.is_whole THEN ''
      WHEN r.has_arrived AND CASE WHEN r.wins THEN r.status ELSE m.status END = 'hard_bounce' THEN 'unknown'
      WHEN r.wins THEN r.reason ELSE m.reason END,
    code = CASE WHEN r.is_whole THEN '' WHEN r.wins THEN r.code ELSE m.code END,
    diagnostic = CASE WHEN r.is_whole THEN '' WHEN r.wins THEN r.diagnostic ELSE m.diagnostic END,
    said_by = CASE WHEN r.is_whole THEN '' WHEN r.wins THEN r.said_by ELSE m.said_by END
  FROM raising r
  WHERE m.id = r.message_id
    AND (r.wins OR r.is_opened AND NOT r.opened_before OR r.is_opened_by_person AND NOT r.opened_by_person_before
         OR r.arrived > 0 OR r.is_taken AND (m.parts_arrived = 0 OR m.status = 'hard_bounce'))
  RETURNING m.send_out_id, r.was, m.status
), moved AS (
  INSERT INTO messaging_movement (send_out_id, figure, delta)
  SELECT send_out_id, figure, sum(delta) FROM raised, LATERAL (VALUES (was, -1), (status, 1)) AS d(figure, delta)
  WHERE send_out_id IS NOT NULL AND status <> was GROUP BY send_out_id, figure HAVING sum(delta) <> 0
)
SELECT number, address_id, channel, cause, occurred_at, has_arrived FROM (
  SELECT number, t.address_id, channel, t.occurred_at, weight, CASE WHEN t.kind = 'hard_bounce' AND t.channel = 'sms'
    THEN t.parts_arrived > 0 OR EXISTS (SELECT FROM best b WHERE b.message_id = t.message_id AND b.is_taken)
    ELSE false END AS has_arrived, (
    SELECT b.cause FROM contacts_block b
    WHERE b.address_id = t.address_id AND coalesce(b.ended_at, 'infinity') = 'infinity'
  ) AS cause
  FROM fresh JOIN told t USING (key) WHERE weight > 0
  OFFSET 0
) f
WHERE weight = 2 OR cause IS NOT NULL OR address_id IN (SELECT address_id FROM told WHERE kind = 'hard_bounce')
UNION ALL
SELECT number, NULL, NULL, NULL, NULL, false FROM said WHERE number NOT IN (SELECT number FROM told)
"""

# What fell due, a chunk at a time: those still waited for get their event and their status, and all of them leave the
# list. Only messages that nobody holds are taken (the next round takes the others), so this waits for no worker; and a
# message that is still waited for has no event as great as this one (statuses.MEANING), so there is nothing to compare.
GIVE_UP: Final = """
WITH due AS (
  SELECT m.id, m.send_out_id, m.status, due_at, diagnostic, said_by, w.given_up, w.given_up IS NOT NULL AS is_late,
    (%s + (extract(epoch FROM due_at) * 1000000)::bigint * %s) AS rank,
    encode(substring(sha256(convert_to(%s || m.id, 'UTF8')) FOR 16), 'hex')::uuid AS key
  FROM messaging_message m
  LEFT JOIN unnest(%s::text[], %s::text[], %s::text[]) AS w(channel, waiting, given_up)
    ON w.channel = m.channel AND w.waiting = m.status
  WHERE due_at <= %s ORDER BY due_at, m.id LIMIT %s FOR NO KEY UPDATE OF m SKIP LOCKED
), recorded AS (
  INSERT INTO messaging_deliveryevent (key, message_id, provider, kind, occurred_at, reason, diagnostic, said_by)
  SELECT key, id, %s, %s, due_at, %s, diagnostic, said_by FROM due WHERE is_late ORDER BY id
  ON CONFLICT (message_id, key) DO NOTHING
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
), moved AS (
  INSERT INTO messaging_movement (send_out_id, figure, delta)
  SELECT send_out_id, figure, sum(delta) FROM due, LATERAL (VALUES (status, -1), (given_up, 1)) AS d(figure, delta)
  WHERE send_out_id IS NOT NULL AND is_late GROUP BY send_out_id, figure
)
SELECT count(*), count(*) FILTER (WHERE is_late) FROM due
"""

# What suppression/rules.py says of these addresses: the soft bounce that makes the run long enough, if one does.
# Messages are found by their contact: whoever has the address now, and whom these messages went to.
SOFT_RUNS: Final = f"""
WITH asked AS (
  SELECT own.address_id, own.contact_id FROM messaging_message own WHERE own.id = ANY(%(messages)s::bigint[])
  UNION
  SELECT c.email_address_id, c.id FROM contacts_contact c WHERE c.email_address_id = ANY(%(addresses)s::bigint[])
  UNION
  SELECT c.mobile_address_id, c.id FROM contacts_contact c WHERE c.mobile_address_id = ANY(%(addresses)s::bigint[])
), told AS (
  SELECT m.id, m.address_id, m.status_at, m.decided_by, m.reason, m.code, m.diagnostic, a.lifted_at,
    m.is_opened OR m.status <> 'soft_bounce' AS is_life
  FROM asked JOIN contacts_address a ON a.id = asked.address_id
  JOIN messaging_message m ON m.contact_id = asked.contact_id AND m.address_id = asked.address_id
  WHERE m.channel = %(channel)s AND (m.is_opened OR m.status IN ('delivered', 'opened', 'soft_bounce'))
    AND {IS_PROVEN}
), since AS (
  SELECT *, greatest(lifted_at, max(status_at) FILTER (WHERE is_life) OVER (PARTITION BY address_id)) AS since FROM told
), run AS (
  SELECT *, lag(status_at, %(bounces)s - 1) OVER (PARTITION BY address_id ORDER BY status_at, id) AS first_at
  FROM since
  WHERE NOT is_life AND reason = ANY(%(reasons)s::text[]) AND (since IS NULL OR status_at > since)
)
SELECT DISTINCT ON (address_id) address_id, status_at, decided_by, id, reason, code, diagnostic
FROM run WHERE first_at >= status_at - %(span)s::interval ORDER BY address_id, status_at, id
"""  # noqa: S608 -- two numbers of ours
# How long the runs of these addresses are by now, within the days of the rule that is in force, since when, and at how
# many it blocks: all that a card shows, in one query.
SOFT_COUNTS: Final = f"""
WITH rule AS (
  SELECT d.channel, coalesce(r.is_on, d.is_on) AS is_on, coalesce(r.bounces, d.bounces) AS bounces,
    make_interval(days => coalesce(r.days, d.days)) AS span, coalesce(r.reasons, d.reasons) AS reasons
  FROM unnest(%(channels)s::text[], %(is_on)s::boolean[], %(bounces)s::int[], %(days)s::int[], %(reasons)s::jsonb[])
    AS d(channel, is_on, bounces, days, reasons)
  LEFT JOIN messaging_blockrule r ON r.channel = d.channel
), asked AS (
  SELECT c.email_address_id AS address_id, c.id AS contact_id FROM contacts_contact c
  WHERE c.email_address_id = %(email)s::bigint
  UNION ALL
  SELECT c.mobile_address_id, c.id FROM contacts_contact c WHERE c.mobile_address_id = %(mobile)s::bigint
), told AS (
  SELECT m.address_id, m.channel, m.status_at, m.reason, a.lifted_at,
    m.is_opened OR m.status <> 'soft_bounce' AS is_life
  FROM asked JOIN contacts_address a ON a.id = asked.address_id
  JOIN messaging_message m ON m.contact_id = asked.contact_id AND m.address_id = asked.address_id
  WHERE (m.is_opened OR m.status IN ('delivered', 'opened', 'soft_bounce')) AND {IS_PROVEN}
), since AS (
  SELECT *, greatest(lifted_at, max(status_at) FILTER (WHERE is_life) OVER (PARTITION BY address_id)) AS since FROM told
), run AS (
  SELECT t.channel, t.status_at, r.bounces, r.span,
    max(t.status_at) OVER (PARTITION BY t.address_id) AS last_at
  FROM since t JOIN rule r ON r.channel = t.channel AND r.is_on
  WHERE NOT t.is_life AND jsonb_exists(r.reasons, t.reason) AND (t.since IS NULL OR t.status_at > t.since)
)
SELECT channel, count(*), min(status_at), min(bounces) FROM run WHERE status_at >= last_at - span GROUP BY channel
"""  # noqa: S608 -- two numbers of ours

# A piece of the table of events by its place on the disk: those whose kind a mail server's words have decided. What a
# provider did not even try, no server has spoken about.
EVENT_PAGES: Final = "SELECT pg_relation_size('messaging_deliveryevent') / current_setting('block_size')::int"
STORED: Final = """
SELECT e.key, e.message_id, e.provider, e.kind, e.occurred_at, e.reason, e.reply_code, e.status_code, e.diagnostic,
  e.report_id
FROM messaging_deliveryevent e JOIN messaging_message m ON m.id = e.message_id
WHERE e.ctid >= %(first)s::tid AND e.ctid < %(last)s::tid AND e.kind = ANY(%(kinds)s::text[])
  AND e.diagnostic <> '' AND e.reason <> 'suppressed' AND m.channel = %(channel)s
  AND (%(provider)s = '' OR e.provider = %(provider)s)
  AND (%(since)s::timestamptz IS NULL OR e.recorded_at >= %(since)s)
"""

# The hard bounces of these messages.
KEYS_OF_HARD: Final = """
SELECT key FROM messaging_deliveryevent WHERE message_id = ANY(%s::bigint[]) AND kind = 'hard_bounce'
"""

LOCK_EVENTS: Final = """
SELECT 1 FROM messaging_deliveryevent e JOIN unnest(%s::bigint[], %s::uuid[]) AS r(message_id, key)
  USING (message_id, key)
ORDER BY message_id, key FOR NO KEY UPDATE OF e
"""
LOCK_MESSAGES: Final = "SELECT 1 FROM messaging_message WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"

# What is now said of events that were recorded long ago. Their keys stay: those name the fact, not its meaning.
REVISE_EVENTS: Final = """
UPDATE messaging_deliveryevent e SET kind = r.kind, reason = r.reason, certainty = r.certainty
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::text[])
  AS r(message_id, key, kind, reason, certainty)
WHERE e.message_id = r.message_id AND e.key = r.key
RETURNING e.caveat, e.key, e.message_id, e.kind, e.occurred_at, e.reason,
  concat_ws(' ', nullif(e.reply_code, ''), nullif(e.status_code, ''), nullif(e.provider_code, '')), e.diagnostic,
  e.certainty
"""

# One that only named its message, and whose sender turned out to speak for the address.
BELIEVE: Final = """
UPDATE messaging_deliveryevent e SET caveat = ''
WHERE e.message_id = %s AND e.key = %s AND e.kind = 'hard_bounce' AND e.caveat = 'named'
RETURNING e.caveat, e.key, e.message_id, e.kind, e.occurred_at, e.reason,
  concat_ws(' ', nullif(e.reply_code, ''), nullif(e.status_code, ''), nullif(e.provider_code, '')), e.diagnostic,
  e.certainty
"""

# Emails folded anew from all their events, as statuses.fold does it. Where the event that decided was deleted with
# age, it still stands against those that are left.
REFOLD: Final = """
WITH told AS (
  SELECT e.message_id, e.key, e.occurred_at, e.reason, e.diagnostic, e.said_by, k.status,
    concat_ws(' ', nullif(e.reply_code, ''), nullif(e.status_code, ''), nullif(e.provider_code, '')) AS code,
    k.place + (greatest(0, (extract(epoch FROM e.occurred_at) * 1000000)::bigint) << %s) AS rank
  FROM messaging_deliveryevent e
  JOIN unnest(%s::text[], %s::text[], %s::bigint[], %s::text[]) AS k(kind, caveat, place, status) USING (kind, caveat)
  WHERE e.message_id = ANY(%s::bigint[])
), best AS (
  SELECT DISTINCT ON (message_id) * FROM told ORDER BY message_id, rank DESC, key DESC
)
UPDATE messaging_message m SET
  status = CASE WHEN m.is_opened AND b.status = 'delivered' THEN 'opened' ELSE b.status END,
  rank = b.rank, decided_by = b.key, status_at = b.occurred_at,
  reason = b.reason, code = b.code, diagnostic = b.diagnostic, said_by = b.said_by
FROM best b
WHERE m.id = b.message_id AND m.channel = 'email'
  AND ((b.rank, b.key) > (m.rank, m.decided_by)
       OR EXISTS (SELECT 1 FROM told t WHERE t.message_id = m.id AND t.key = m.decided_by))
"""

# What our pages saw of these messages around these moments: within so many seconds before, and after.
CLICKS_AROUND: Final = """
SELECT e.message_id, e.key, m.address_id, e.kind, e.occurred_at, e.provider_code, e.is_automatic
FROM (
  SELECT message_id, min(at) - make_interval(secs => %s) AS first_at, max(at) + make_interval(secs => %s) AS last_at
  FROM unnest(%s::bigint[], %s::timestamptz[]) AS c(message_id, at) GROUP BY message_id
) AS c
JOIN messaging_message m ON m.id = c.message_id
JOIN messaging_deliveryevent e ON e.message_id = m.id AND e.occurred_at BETWEEN c.first_at AND c.last_at
WHERE e.provider = %s AND e.kind IN ('opened', 'clicked')
"""
# Their diagnostic is our own word for the evidence (machines.py).
MARK_AUTOMATIC: Final = """
UPDATE messaging_deliveryevent e SET is_automatic = true, diagnostic = %s
FROM unnest(%s::bigint[], %s::uuid[]) AS b(message_id, key) WHERE e.message_id = b.message_id AND e.key = b.key
"""
# As statuses.fold does it. What was opened stays opened: by whom is all that changes.
REFOLD_OPENED: Final = """
UPDATE messaging_message m SET
  is_opened_by_person = EXISTS (
    SELECT FROM messaging_deliveryevent e
    WHERE e.message_id = m.id AND e.kind = ANY(%s::text[]) AND NOT e.is_automatic AND e.caveat <> ALL(%s::text[])),
  diagnostic = CASE WHEN (m.id, m.decided_by) IN (SELECT message_id, key FROM unnest(%s::bigint[], %s::uuid[])
    AS b(message_id, key)) THEN %s ELSE m.diagnostic END
WHERE m.id = ANY(%s::bigint[])
"""

# The hard bounces of these addresses since they were last lifted, each through whoever has the address now and whom
# these messages went to: what is proven, and what only names its message where one of another message agrees that
# happened before. (One that happens later is the same with the parts changed.) So a proven one need ask for no others.
HARD_BOUNCES: Final = """
WITH asked AS (
  SELECT own.address_id, own.contact_id FROM messaging_message own WHERE own.id = ANY(%(messages)s::bigint[])
  UNION
  SELECT c.email_address_id, c.id FROM contacts_contact c WHERE c.email_address_id = ANY(%(addresses)s::bigint[])
  UNION
  SELECT c.mobile_address_id, c.id FROM contacts_contact c WHERE c.mobile_address_id = ANY(%(addresses)s::bigint[])
)
SELECT address_id, occurred_at, key, message_id, 'one_hard_bounce', reason,
  concat_ws(' ', nullif(reply_code, ''), nullif(status_code, ''), nullif(provider_code, '')), diagnostic
FROM (
  SELECT m.address_id, m.channel, e.*, min(m.id) OVER earlier AS one, max(m.id) OVER earlier AS other,
    min(e.occurred_at) OVER earlier AS first_at
  FROM asked a JOIN messaging_message m ON m.contact_id = a.contact_id AND m.address_id = a.address_id
  JOIN contacts_address k ON k.id = a.address_id
  JOIN messaging_deliveryevent e ON e.message_id = m.id AND e.kind = 'hard_bounce' AND e.caveat <> 'guessed'
  WHERE m.address_id = ANY(%(addresses)s::bigint[]) AND (k.lifted_at IS NULL OR e.occurred_at > k.lifted_at)
    AND NOT (m.channel = 'sms' AND m.parts_arrived > 0)
  WINDOW earlier AS (
    PARTITION BY m.address_id ORDER BY e.occurred_at, e.key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) f
WHERE (caveat <> 'named' OR one <> message_id OR other <> message_id)
  AND (certainty <> 'guess' OR channel <> 'email'
       OR (first_at AT TIME ZONE 'UTC')::date < (occurred_at AT TIME ZONE 'UTC')::date
       OR NOT coalesce((SELECT needs_second FROM messaging_outagerule ORDER BY id LIMIT 1), true))
"""

# When the addresses of these hard bounces last took a message, if that was lately; through the message's contact.
SIGNS_OF_LIFE: Final = f"""
SELECT g.key, lately.status_at
FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS g(key, message_id, at)
JOIN messaging_message own ON own.id = g.message_id
CROSS JOIN LATERAL (
  SELECT m.status_at FROM messaging_message m
  WHERE m.contact_id = own.contact_id AND m.address_id = own.address_id AND m.status IN ('delivered', 'opened')
    AND m.status_at < g.at AND m.status_at >= g.at - %s::interval AND {IS_PROVEN}
  ORDER BY m.id DESC LIMIT 1
) lately
"""  # noqa: S608 -- two numbers of ours

# Asked in every batch with a bounce, where the ORM would take longer than PostgreSQL.
BLOCK_RULES: Final = "SELECT channel, is_on, bounces, days, reasons::text FROM messaging_blockrule"
OUTAGE_RULE: Final = """
SELECT is_on, addresses, hours, share, alive_days, times, rate, needs_second
FROM messaging_outagerule ORDER BY id LIMIT 1
"""

# Where these blocked addresses lie among the other hard bounces of their domain: the times in which so many of the
# living bounced. What a person has dropped does not count; what was kept is usual. First those domains are found that
# can have such a time at all, which is cheap: what is usual is counted no further than that. The blocks are asked for
# as in RECORD_EVENTS.
CROWDS: Final = """
WITH touched AS (
  SELECT domain, min(started_at) AS first_at, max(started_at) AS last_at FROM contacts_block
  WHERE address_id = ANY(%(addresses)s::bigint[]) AND coalesce(ended_at, 'infinity') = 'infinity'
    AND coalesce(alive_at, '-infinity') > '-infinity' AND coalesce(domain, '') <> '' AND cause = 'one_hard_bounce'
  GROUP BY domain
), near AS MATERIALIZED (
  SELECT t.*, (
    SELECT count(*) FROM contacts_block b
    WHERE b.domain = t.domain AND b.alive_at IS NOT NULL AND b.cause = 'one_hard_bounce'
      AND b.started_at BETWEEN t.first_at - %(window)s::interval AND t.last_at + %(window)s::interval
  ) AS most
  FROM touched t
), measured AS MATERIALIZED (
  SELECT n.*, (
    SELECT count(*) FROM (
      SELECT 1 FROM contacts_block b LEFT JOIN contacts_outage o ON o.id = b.outage_id
      WHERE b.domain = n.domain AND b.alive_at IS NOT NULL AND b.cause = 'one_hard_bounce'
        AND b.started_at >= n.first_at - %(window)s::interval - %(usual)s::interval
        AND b.started_at < n.first_at - %(window)s::interval
        AND (o.id IS NULL OR o.verdict = 'kept')
      LIMIT floor(n.most * %(weeks)s::float8 / %(times)s)::bigint + 1) known
  ) AS usual
  FROM near n WHERE n.most >= %(least)s
), full_enough AS (
  SELECT * FROM measured WHERE most >= %(times)s * usual / %(weeks)s::float8
), bounced AS (
  SELECT f.domain, f.usual, b.started_at, b.message_id, b.alive_at IS NOT NULL AS is_living,
    count(*) OVER lately AS all_of_them, count(b.alive_at) OVER lately AS living,
    min(b.started_at) OVER lately AS from_at, min(b.message_id) OVER lately AS first_message,
    max(b.message_id) OVER lately AS last_message
  FROM full_enough f
  JOIN contacts_block b ON b.domain = f.domain AND b.domain <> '' AND b.cause = 'one_hard_bounce'
    AND b.started_at BETWEEN f.first_at - %(window)s::interval AND f.last_at + %(window)s::interval
  LEFT JOIN contacts_outage o ON o.id = b.outage_id
  WHERE o.id IS NULL OR o.decided_at IS NULL
  WINDOW lately AS (
    PARTITION BY f.domain ORDER BY b.started_at RANGE BETWEEN %(window)s::interval PRECEDING AND CURRENT ROW)
)
SELECT domain, min(from_at), max(started_at), min(first_message), max(last_message) FROM bounced
WHERE is_living AND living >= %(least)s AND living >= %(share)s * all_of_them
  AND living >= %(times)s * usual / %(weeks)s
GROUP BY domain ORDER BY domain
"""

# Of some messages of that time, evenly spread: how many of the domain bounced hard, and how many were handed over.
RATE: Final = f"""
SELECT count(*) FILTER (WHERE m.status = 'hard_bounce' AND {IS_PROVEN}), count(*)
FROM generate_series(%s::bigint, %s::bigint, %s::bigint) AS i(id) JOIN messaging_message m ON m.id = i.id
JOIN contacts_address a ON a.id = m.address_id
WHERE m.status NOT IN ('waiting', 'control_group') AND m.channel = 'email' AND split_part(a.value, '@', -1) = %s
"""  # noqa: S608 -- two numbers of ours

OPEN_OUTAGE: Final = """
INSERT INTO contacts_outage AS o (domain, from_at, until_at, why) VALUES (%s, %s, %s, '')
ON CONFLICT (domain) WHERE decided_at IS NULL DO UPDATE
  SET from_at = least(o.from_at, excluded.from_at), until_at = greatest(o.until_at, excluded.until_at)
  WHERE excluded.from_at < o.from_at OR excluded.until_at > o.until_at
RETURNING id, (xmax = 0)
"""

# Rows that somebody else is changing are left: whoever does so looks at the outage, too, or the beat comes by. Held
# later than recorded, by the clock: by that outages.settle_held knows them.
_HOLD: Final = """
WITH caught AS (
  SELECT b.id, b.address_id, b.code, b.reason, b.message_id, o.id AS outage_id
  FROM contacts_outage o JOIN contacts_block b ON b.domain = o.domain AND b.domain <> ''
    AND b.started_at BETWEEN o.from_at AND o.until_at AND b.cause = 'one_hard_bounce'
    AND b.ended_at IS NULL AND b.held_at IS NULL
  WHERE {which} AND o.decided_at IS NULL
  ORDER BY b.id FOR NO KEY UPDATE OF b SKIP LOCKED
), held AS (
  UPDATE contacts_block b SET held_at = clock_timestamp(), outage_id = c.outage_id FROM caught c WHERE b.id = c.id
)
INSERT INTO contacts_change (contact_id, kind, field, old, new, why, message_id)
SELECT p.id, 'held', a.value, '', c.code, c.reason, c.message_id
FROM caught c JOIN contacts_address a ON a.id = c.address_id
JOIN contacts_contact p ON p.email_address_id = a.id
ORDER BY p.id
"""
HOLD: Final = _HOLD.format(which="o.id = %s")
HOLD_ALL: Final = _HOLD.format(which="true")

PRUNE_REPORTS: Final = """
DELETE FROM messaging_report WHERE id IN (
  SELECT id FROM messaging_report WHERE received_at < %s AND next_at IS NULL
  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
"""

# Mail that has been read, the newest first: of what told nothing of a message of ours so many and so much stay, of what
# did so much. What waits for its message is held to that as well, since a stranger can write any number of those.
DROP_MAIL: Final = """
WITH placed AS (
  SELECT id, events = unmatched AS is_strange,
    row_number() OVER of_its_kind AS place, sum(octet_length(body) + %s) OVER of_its_kind AS size
  FROM messaging_report WHERE provider = 'mail' AND state <> 'new'
  WINDOW of_its_kind AS (PARTITION BY events = unmatched ORDER BY id DESC)
)
DELETE FROM messaging_report WHERE id IN (
  SELECT r.id FROM messaging_report r JOIN placed USING (id)
  WHERE CASE WHEN is_strange THEN place > %s OR size > %s ELSE size > %s END
  ORDER BY r.id LIMIT %s FOR UPDATE OF r SKIP LOCKED)
"""

# How many bytes of mail wait unread, by the address of the mail server that sent them.
WAITING_MAIL: Final = """
SELECT coalesce(headers ->> 'peer', ''), sum(octet_length(body) + %s)
FROM messaging_report WHERE provider = 'mail' AND state = 'new' GROUP BY 1
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
COUNT_UNMAPPED: Final = """
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
SELECT provider, sum(reports), sum(events), sum(unreadable), sum(unmatched), sum(set_aside), sum(refused),
  sum(dropped), sum(put_off), max(last_at)
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

# The second try may be at once, as the beat comes by in its own time; from then on the distance doubles. Whoever was on
# the way when another tried in vain counts as that one try.
AWAY: Final = """
INSERT INTO messaging_alarm AS a (provider, kind, started_at, cause, detail, tries, next_try_at)
VALUES (%s, 'away', now(), %s, %s, 1, now())
ON CONFLICT (provider, kind) WHERE ended_at IS NULL DO UPDATE SET
  cause = excluded.cause, detail = excluded.detail, tries = LEAST(a.tries + 1, 10),
  next_try_at = now() + LEAST(%s * power(2, a.tries - 1), %s)
WHERE a.next_try_at <= now()
RETURNING tries
"""
NEXT_TRY: Final = """
SELECT extract(epoch FROM next_try_at - now())::float8 FROM messaging_alarm
WHERE provider = %s AND kind = 'away' AND ended_at IS NULL
"""

# What was proven of an address and happened after the proof of its block. Messages are found by their contact: they
# have no index by address. One whose status is older than the proof, and that nobody read, has no such event.
EVENTS_SINCE_BLOCK: Final = """
WITH due AS (SELECT address_id, started_at FROM contacts_block WHERE id = ANY(%s) AND ended_at IS NULL)
SELECT d.address_id, e.occurred_at, e.kind, e.is_automatic, m.id
FROM due d
JOIN contacts_contact c ON c.email_address_id = d.address_id OR c.mobile_address_id = d.address_id
JOIN messaging_message m ON m.contact_id = c.id AND m.address_id = d.address_id
  AND (m.status_at > d.started_at OR m.is_opened OR m.parts_arrived_at > d.started_at)
JOIN messaging_deliveryevent e ON e.message_id = m.id AND e.occurred_at > d.started_at AND e.kind = ANY(%s)
  AND CASE e.caveat WHEN 'guessed' THEN m.channel = 'sms' AND e.kind = 'subscribed'
    WHEN 'named' THEN e.kind = 'hard_bounce' ELSE true END
"""

# Writes, and changes nothing. It waits no longer than a probe may.
WRITE: Final = """
SELECT set_config('statement_timeout', '5s', true);
UPDATE messaging_installation SET marked_at = marked_at
"""
# Sending, with something to hand over, of which nothing has left for a while: no batch was ended or is in somebody's
# hand, no message of the next few was marked, nobody asked us to wait, and its way out is there.
STANDING_STILL: Final = """
SELECT s.id FROM messaging_sendout s
WHERE s.state = 'sending' AND s.state_at < now() - %(after)s
  AND NOT EXISTS (SELECT FROM messaging_installation WHERE held_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM messaging_alarm a
    WHERE a.kind = 'away' AND a.ended_at IS NULL AND a.provider = (%(ways)s::jsonb) ->> s.channel)
  AND EXISTS (SELECT FROM messaging_batch b WHERE b.send_out_id = s.id AND b.done_at IS NULL)
  AND NOT EXISTS (SELECT FROM messaging_batch b
    WHERE b.send_out_id = s.id AND (b.done_at > now() - %(after)s OR b.claimed_at > now() - %(after)s))
  AND NOT EXISTS (SELECT FROM messaging_slowdown d WHERE d.send_out_id = s.id AND d.until > now())
  AND NOT EXISTS (
    SELECT FROM (SELECT first_message, last_message FROM messaging_batch
      WHERE send_out_id = s.id AND done_at IS NULL ORDER BY id LIMIT 4) AS b
    JOIN messaging_message m ON m.id BETWEEN b.first_message AND b.last_message
    WHERE m.send_out_id = s.id AND m.sent_at > now() - %(after)s)
ORDER BY s.id
"""
