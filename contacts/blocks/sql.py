"""The set-based statements on many blocks. The addresses they write to are locked before (blocks.lock)."""

from typing import Final

LIFT_MANY: Final = """
WITH ended AS (
  UPDATE contacts_block SET ended_at = %(at)s, ended_by_id = %(actor)s, end_reason = %(why)s, bulk_lift_id = %(lift)s
  WHERE id = ANY(%(blocks)s) AND ended_at IS NULL AND held_at IS NULL
  RETURNING address_id
), freed AS (
  UPDATE contacts_address a SET lifted_at = %(at)s FROM ended e WHERE a.id = e.address_id RETURNING a.id, a.value
), told AS (
  INSERT INTO contacts_change (contact_id, at, kind, field, old, new, why, actor_id)
  SELECT c.id, %(at)s, 'lifted', f.value, '', %(lift)s::text, %(why)s, %(actor)s
  FROM freed f JOIN contacts_contact c ON c.email_address_id = f.id OR c.mobile_address_id = f.id ORDER BY c.id
)
SELECT count(*) FROM ended
"""

# A block comes back as a row of its own, with its proof; the ended one stays what it is. Not where anything happened to
# the address since: it was blocked again (and perhaps freed again) after this removal.
PUT_BACK: Final = """
WITH untouched AS (
  SELECT b.*, a.value FROM contacts_block b JOIN contacts_address a ON a.id = b.address_id
  WHERE b.id = ANY(%(blocks)s) AND a.lifted_at = b.ended_at
    AND NOT EXISTS (SELECT FROM contacts_block later WHERE later.address_id = b.address_id AND later.id > b.id)
), back AS (
  INSERT INTO contacts_block (
    address_id, started_at, cause, reason, code, diagnostic, message_id, event_key, end_reason,
    domain, alive_at, outage_id, last_proof_at, life_at, life_by, life_is_automatic, life_message_id)
  SELECT address_id, started_at, cause, reason, code, diagnostic, message_id, event_key, '',
    domain, alive_at, outage_id, last_proof_at, life_at, life_by, life_is_automatic, life_message_id
  FROM untouched ORDER BY address_id
  ON CONFLICT (address_id) WHERE ended_at IS NULL DO NOTHING
  RETURNING address_id
), restored AS (
  UPDATE contacts_address a SET lifted_at = (
    SELECT max(earlier.ended_at) FROM contacts_block earlier
    WHERE earlier.address_id = a.id AND earlier.ended_at < a.lifted_at AND earlier.ended_by_id IS NOT NULL)
  FROM back WHERE a.id = back.address_id
), told AS (
  INSERT INTO contacts_change (contact_id, at, kind, field, old, new, why, actor_id)
  SELECT c.id, %(at)s, 'put_back', u.value, '', %(lift)s::text, u.reason, %(actor)s
  FROM back JOIN untouched u USING (address_id)
  JOIN contacts_contact c ON c.email_address_id = u.address_id OR c.mobile_address_id = u.address_id ORDER BY c.id
)
SELECT count(*) FROM back
"""

# What would become of the lines that are new: blocked already, freed by a person after what the line tells of, or to be
# blocked. A few thousand at a time, each looked up by an index: one statement for all would read whole tables.
STAGE: Final = """
WITH staged AS (
  INSERT INTO contacts_importrow (block_import_id, line, channel, value, started_at, reason, code, diagnostic)
  SELECT %s, r.* FROM unnest(
      %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])
    AS r(line, channel, value, started_at, reason, code, diagnostic)
  ON CONFLICT (block_import_id, channel, value) DO NOTHING
  RETURNING channel, value, started_at
)
SELECT count(*) FILTER (WHERE b.id IS NOT NULL),
  count(*) FILTER (WHERE b.id IS NULL AND s.started_at <= a.lifted_at),
  count(*) FILTER (WHERE b.id IS NULL AND (s.started_at <= a.lifted_at) IS NOT TRUE)
FROM staged s
LEFT JOIN contacts_address a ON a.channel = s.channel AND a.value = s.value
LEFT JOIN contacts_block b ON b.address_id = a.id AND b.ended_at IS NULL AND b.held_at IS NULL
"""

# In a transaction of its own: who saves a contact holds that and waits here for the address.
MAKE_ADDRESSES: Final = """
INSERT INTO contacts_address (channel, value)
SELECT channel, value FROM contacts_importrow r WHERE id = ANY(%s)
  AND NOT EXISTS (SELECT FROM contacts_address a WHERE a.channel = r.channel AND a.value = r.value)
ORDER BY channel, value ON CONFLICT DO NOTHING
"""

ADDRESSES_OF_ROWS: Final = """
SELECT a.id FROM contacts_importrow r JOIN contacts_address a ON a.channel = r.channel AND a.value = r.value
WHERE r.id = ANY(%s)
"""

# What was held for review as of an outage is in force from now on: the list says that it is to be blocked.
IMPORT_BLOCKS: Final = """
WITH wanted AS (
  SELECT r.*, a.id AS address_id FROM contacts_importrow r
  JOIN contacts_address a ON a.channel = r.channel AND a.value = r.value
  WHERE r.id = ANY(%(rows)s) AND (r.started_at <= a.lifted_at) IS NOT TRUE
), made AS (
  INSERT INTO contacts_block AS b (address_id, started_at, cause, reason, code, diagnostic, end_reason, domain)
  SELECT address_id, COALESCE(started_at, %(at)s), %(cause)s, reason, code, diagnostic, '',
    CASE WHEN channel = 'email' THEN split_part(value, '@', -1) ELSE '' END
  FROM wanted ORDER BY address_id
  ON CONFLICT (address_id) WHERE ended_at IS NULL DO UPDATE
    SET started_at = excluded.started_at, cause = excluded.cause, reason = excluded.reason, code = excluded.code,
        diagnostic = excluded.diagnostic, message_id = NULL, event_key = NULL, outage_id = NULL, held_at = NULL
    WHERE b.held_at IS NOT NULL
  RETURNING address_id
), told AS (
  INSERT INTO contacts_change (contact_id, at, kind, field, old, new, why, actor_id)
  SELECT c.id, %(at)s, 'imported', w.value, '', w.code, w.reason, %(actor)s
  FROM made JOIN wanted w USING (address_id)
  JOIN contacts_contact c ON c.email_address_id = w.address_id OR c.mobile_address_id = w.address_id ORDER BY c.id
)
SELECT count(*) FROM made
"""
