"""The statements of hand-over."""

from typing import Final

# One batch of a send-out that is sending. One whose worker has been silent for so long is taken up by another.
CLAIM_BATCH: Final = """
UPDATE messaging_batch SET claimed_at = now() WHERE id = (
  SELECT b.id FROM messaging_batch b JOIN messaging_sendout s ON s.id = b.send_out_id
  WHERE b.send_out_id = %s AND b.done_at IS NULL AND s.state = 'sending'
    AND (b.claimed_at IS NULL OR b.claimed_at < now() - %s)
  ORDER BY b.id LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED
) RETURNING id, first_message, last_message
"""
# Says that the worker is alive, and asks whether to go on: nothing comes back where somebody paused or cancelled.
HOLD_BATCH: Final = """
UPDATE messaging_batch b SET claimed_at = now() FROM messaging_sendout s
WHERE b.id = %s AND s.id = b.send_out_id AND s.state = 'sending' RETURNING 1
"""
RELEASE_BATCH: Final = "UPDATE messaging_batch SET claimed_at = NULL WHERE id = %s AND done_at IS NULL"
END_BATCH: Final = "UPDATE messaging_batch SET done_at = now() WHERE id = %s"

# Marked before they leave, in a transaction of its own: whoever finds a mark without an event knows that they may
# have left. So no one gets a second copy, whatever dies when.
MARK: Final = """
WITH next AS (
  SELECT id FROM messaging_message
  WHERE send_out_id = %(send_out)s AND id BETWEEN %(first)s AND %(last)s AND status = 'waiting' AND attempts = 0
  ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE messaging_message m SET attempts = 1, sent_at = now(), provider = %(provider)s
FROM next WHERE m.id = next.id RETURNING m.id
"""
# The same for what is to be tried again, and for single messages. It stays on the list for as long as a worker may
# take: who dies in between is found out then, by an attempt that nothing is recorded of.
MARK_AGAIN: Final = """
WITH next AS (
  SELECT id FROM messaging_message WHERE next_attempt_at <= statement_timestamp() AND provider = %(provider)s
  ORDER BY next_attempt_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE messaging_message m SET
  attempts = m.attempts + 1, next_attempt_at = statement_timestamp() + %(silent)s,
  sent_at = COALESCE(m.sent_at, statement_timestamp())
FROM next WHERE m.id = next.id RETURNING m.id, m.attempts - 1
"""
KNOWN_KEYS: Final = "SELECT key FROM messaging_deliveryevent WHERE key = ANY(%s::uuid[])"
# All that a mail needs, and whether it may still be sent: hours may have passed since the rows were made.
LOAD: Final = """
SELECT m.id, m.attempts, m.sent_at, COALESCE(m.send_out_id, k.send_out_id), m.content_id, a.value,
  EXISTS (SELECT FROM contacts_block b
    WHERE b.address_id = a.id AND b.ended_at IS NULL AND b.held_at IS NULL) AS is_blocked,
  NOT COALESCE(CASE m.channel WHEN 'email' THEN c.accepts_email ELSE c.accepts_sms END, true) AS is_opted_out,
  c.first_name, c.last_name, c.email, c.mobile_digits, c.country, c.language, m.next_attempt_at IS NOT NULL
FROM messaging_message m JOIN contacts_address a ON a.id = m.address_id
JOIN messaging_content k ON k.id = m.content_id
LEFT JOIN contacts_contact c ON c.id = m.contact_id
WHERE m.id = ANY(%s) ORDER BY m.id
"""
# Marked and never heard of: the worker died between the two. Only ever asked of a batch whose worker was silent.
DOUBTFUL: Final = """
SELECT id FROM messaging_message
WHERE send_out_id = %s AND id BETWEEN %s AND %s AND status = 'waiting' AND attempts > 0 ORDER BY id
"""
PLAN: Final = """
UPDATE messaging_message m SET next_attempt_at = CASE WHEN m.status = 'deferred' THEN p.at END
FROM unnest(%s::bigint[], %s::timestamptz[]) AS p(id, at) WHERE m.id = p.id
"""
