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
  INSERT INTO contacts_block (address_id, started_at, cause, reason, code, diagnostic, message_id, event_key, end_reason,
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
