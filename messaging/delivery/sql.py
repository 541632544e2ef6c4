"""The statements of hand-over."""

from typing import Final

from contacts.sql import SAYS_NO
from messaging.delivery.installation import IS_WHOLE, OPEN

# One batch of a send-out that is sending. One whose worker has been silent for so long is taken up by another, unless
# nobody could be heard meanwhile.
CLAIM_BATCH: Final = f"""
UPDATE messaging_batch SET claimed_at = now(), claimed_by = %(turn)s WHERE {OPEN} AND id = (
  SELECT b.id FROM messaging_batch b JOIN messaging_sendout s ON s.id = b.send_out_id
  WHERE b.send_out_id = %(send_out)s AND b.done_at IS NULL AND s.state = 'sending'
    AND (b.claimed_at IS NULL OR (b.claimed_at < now() - %(silent)s AND {IS_WHOLE}))
  ORDER BY b.id LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED
) RETURNING id, first_message, last_message
"""  # noqa: S608 -- of constants
# The same of one that Engage itself has paused while a way out is away: one of its messages asks whether it is back.
CLAIM_PAUSED: Final = CLAIM_BATCH.replace("s.state = 'sending'", "s.state = 'paused' AND s.waits_for = %(slug)s")
# Says that the worker is alive, and asks whether to go on: nothing comes back where somebody paused or cancelled, where
# another worker has taken it up, or where nothing may leave.
HOLD_BATCH: Final = f"""
UPDATE messaging_batch b SET claimed_at = now() FROM messaging_sendout s
WHERE b.id = %(batch)s AND b.claimed_by = %(turn)s AND s.id = b.send_out_id AND s.state = 'sending' AND {OPEN}
RETURNING 1
"""  # noqa: S608 -- of constants
# The same from time to time while a slice is under way: pausing does not make a worker dead.
BEAT_BATCH: Final = "UPDATE messaging_batch SET claimed_at = now() WHERE id = %(batch)s AND claimed_by = %(turn)s"
RELEASE_BATCH: Final = """
UPDATE messaging_batch SET claimed_at = NULL, claimed_by = NULL
WHERE id = %(batch)s AND claimed_by = %(turn)s AND done_at IS NULL
"""
END_BATCH: Final = f"""
UPDATE messaging_batch SET done_at = now() WHERE id = %(batch)s AND claimed_by = %(turn)s AND {OPEN}
"""  # noqa: S608 -- of constants

# Marked before they leave, in a transaction of its own: whoever finds a mark without an event knows that they may
# have left. So no one gets a second copy, whatever dies when.
MARK: Final = f"""
WITH next AS (
  SELECT id FROM messaging_message
  WHERE {OPEN} AND send_out_id = %(send_out)s AND id BETWEEN %(first)s AND %(last)s AND status = 'waiting'
    AND attempts = 0 AND next_attempt_at IS NULL
  ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE messaging_message m SET attempts = 1, sent_at = now(), provider = %(provider)s
FROM next WHERE m.id = next.id RETURNING m.id
"""  # noqa: S608 -- of constants
# The line broke while they were marked, and whoever has the batch handed none of them over: all that it did hand over
# is recorded before it marks more.
UNMARK: Final = """
UPDATE messaging_message m SET attempts = 0, sent_at = NULL FROM messaging_batch b
WHERE b.id = %(batch)s AND b.claimed_by = %(turn)s AND m.send_out_id = b.send_out_id
  AND m.id BETWEEN b.first_message AND b.last_message AND m.status = 'waiting' AND m.attempts = 1
  AND m.next_attempt_at IS NULL
"""
# The same for what is to be tried again, and for single messages. It stays on the list for as long as a worker may
# take: who dies in between is found out then, by an attempt that nothing is recorded of. What belongs to a send-out
# that somebody paused waits until it is resumed. What is due to be given up, as nobody was at work meanwhile, is left
# to the sweep.
MARK_AGAIN: Final = f"""
WITH next AS (
  SELECT m.id, m.provider FROM messaging_message m LEFT JOIN messaging_sendout s ON s.id = m.send_out_id
  WHERE {OPEN} AND {IS_WHOLE} AND m.next_attempt_at <= statement_timestamp() AND m.channel = %(channel)s
    AND m.status IN ('waiting', 'deferred', 'unknown') AND COALESCE(s.state, 'done') IN ('sending', 'done')
    AND COALESCE(m.due_at > statement_timestamp(), true)
  ORDER BY m.next_attempt_at, m.id LIMIT %(limit)s FOR NO KEY UPDATE OF m SKIP LOCKED
)
UPDATE messaging_message m SET
  attempts = m.attempts + 1, next_attempt_at = statement_timestamp() + %(silent)s,
  sent_at = COALESCE(m.sent_at, statement_timestamp()), provider = %(provider)s
FROM next WHERE m.id = next.id RETURNING m.id, m.attempts - 1, next.provider
"""  # noqa: S608 -- of constants
# Says that the worker is alive that has them in hand.
BEAT_AGAIN: Final = """
UPDATE messaging_message SET next_attempt_at = statement_timestamp() + %(silent)s
WHERE id = ANY(%(ids)s::bigint[]) AND next_attempt_at IS NOT NULL
"""
# What is due and never to be tried again: its send-out was cancelled, or a final word came in between.
FORGET: Final = """
UPDATE messaging_message SET next_attempt_at = NULL WHERE id = ANY(ARRAY(
  SELECT m.id FROM messaging_message m LEFT JOIN messaging_sendout s ON s.id = m.send_out_id
  WHERE m.next_attempt_at <= statement_timestamp()
    AND (s.state = 'cancelled' OR m.status NOT IN ('waiting', 'deferred', 'unknown'))
  ORDER BY m.next_attempt_at, m.id LIMIT 1000 FOR NO KEY UPDATE OF m SKIP LOCKED))
"""
# What did not leave after all: as if that attempt had not been marked. Without a time it belongs to its batch again.
TAKE_BACK: Final = """
UPDATE messaging_message m SET attempts = m.attempts - 1, next_attempt_at = h.until,
  sent_at = CASE WHEN m.attempts > 1 THEN m.sent_at END
FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[]) AS h(id, attempt, until)
WHERE m.id = h.id AND m.attempts = h.attempt AND m.status IN ('waiting', 'deferred', 'unknown')
"""
WITH_EVENT: Final = """
SELECT message_id FROM messaging_deliveryevent JOIN unnest(%s::bigint[], %s::uuid[]) AS k(message_id, key)
  USING (message_id, key)
"""
# All that a message needs, and whether it may still be sent: hours may have passed since the rows were made, and the
# contact may have another address by now. Times are
# seconds since 1970, as making them into datetimes, which few messages need, takes longer than all else.
LOAD: Final = f"""
SELECT m.id, m.attempts, extract(epoch FROM m.sent_at)::float8, COALESCE(m.send_out_id, k.send_out_id), m.content_id,
  a.value,
  EXISTS (SELECT FROM contacts_block b
    WHERE b.address_id = a.id AND b.ended_at IS NULL AND b.held_at IS NULL) AS is_blocked,
  NOT COALESCE(CASE m.channel WHEN 'email' THEN c.accepts_email ELSE c.accepts_sms END, true) OR CASE
    WHEN a.id <> CASE m.channel WHEN 'email' THEN c.email_address_id ELSE c.mobile_address_id END
    THEN {SAYS_NO.format(address="a.id")} ELSE false END AS is_opted_out,
  c.first_name, c.last_name, c.email, c.mobile_digits, c.country, c.language,
  m.next_attempt_at IS NOT NULL, m.send_out_id IS NULL, m.send_out_id IS NOT NULL AND c.id IS NULL AS is_deleted
FROM messaging_message m JOIN contacts_address a ON a.id = m.address_id
JOIN messaging_content k ON k.id = m.content_id
LEFT JOIN contacts_contact c ON c.id = m.contact_id
WHERE m.id = ANY(%s::bigint[]) ORDER BY m.id
"""  # noqa: S608 -- of constants
# Marked and never heard of: the worker died between the two. Only ever asked of a batch whose worker was silent.
# What is on the list of what is tried at its time is somebody else's.
UNKNOWN_OUTCOMES: Final = """
SELECT id FROM messaging_message
WHERE send_out_id = %s AND id BETWEEN %s AND %s AND status = 'waiting' AND attempts > 0 AND next_attempt_at IS NULL
ORDER BY id
"""
# Only where the attempt's own word still counts: what was said since may be final.
PLAN: Final = """
UPDATE messaging_message m SET next_attempt_at = CASE WHEN m.decided_by = p.key THEN p.at END
FROM unnest(%s::bigint[], %s::timestamptz[], %s::uuid[]) AS p(id, at, key) WHERE m.id = p.id
"""
# Before it leaves: a receipt may overtake all that is written down afterwards.
SET_PARTS: Final = """
UPDATE messaging_message m SET parts = p.parts FROM unnest(%s::bigint[], %s::int[]) AS p(id, parts)
WHERE m.id = p.id AND m.parts <> p.parts
"""
NAME: Final = """
UPDATE messaging_message m SET provider_message_id = n.name FROM unnest(%s::bigint[], %s::text[]) AS n(id, name)
WHERE m.id = n.id
"""
# What was heard goes before what was guessed.
NAME_PARTS: Final = """
INSERT INTO messaging_part AS p (message_id, provider, provider_message_id)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[])
ON CONFLICT (provider_message_id, provider) DO UPDATE SET message_id = excluded.message_id, is_guessed = false
WHERE p.is_guessed
"""
