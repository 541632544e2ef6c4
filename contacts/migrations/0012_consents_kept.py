"""What contacts say of consent becomes records of their addresses, with what their history knows of it.

Chunk by chunk, each a transaction that locks what it is about as everybody does: addresses by id, then contacts by id.
What is recorded drops out, so it may be stopped and run again. A contact with a no, or with a yes that was given after
it was made: a yes from its making is nobody's word. Where contacts who share an address disagree, the latest counts; a
no without a time goes before what the others have.
"""

from contextlib import suppress

from django.core.exceptions import ValidationError
from django.db import migrations, transaction

CHUNK = 5_000
LAST = "SELECT max(id) FROM (SELECT id FROM contacts_contact WHERE id > %s ORDER BY id LIMIT %s) AS chunk"
ADDRESSES = """
SELECT {address} FROM contacts_contact c WHERE c.id > %s AND c.id <= %s AND {address} IS NOT NULL AND (
  NOT accepts_{channel} OR abs(extract(epoch FROM {channel}_consent_at - created_at)) >= 60)
"""
LOCK_ADDRESSES = "SELECT 1 FROM contacts_address WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
LOCK_HOLDERS = """
SELECT 1 FROM contacts_contact WHERE email_address_id = ANY(%s) OR mobile_address_id = ANY(%s)
ORDER BY id FOR NO KEY UPDATE
"""
RECORD = """
INSERT INTO contacts_consent (address_id, accepts, at, source, message_id, actor_id, wording, key)
SELECT DISTINCT ON (address_id, accepts, at) address_id, accepts, at, source, message_id, actor_id, wording,
  md5(concat_ws(' ', 'taken over', address_id, accepts, extract(epoch FROM at)))::uuid
FROM (
  SELECT c.id, c.{address} AS address_id, c.accepts_{channel} AS accepts,
    COALESCE(c.{channel}_consent_at, greatest(o.at, c.created_at)) AS at,
    CASE WHEN h.why = 'complaint' AND h.message_id IS NOT NULL THEN 'complaint'
      WHEN h.why = 'unsubscribe' AND h.message_id IS NOT NULL THEN CASE '{channel}' WHEN 'email' THEN 'link' ELSE 'answer' END
      WHEN h.why = 'resubscribe' AND '{channel}' = 'sms' THEN 'answer'
      WHEN h.actor_id IS NOT NULL THEN 'administrator' ELSE 'migration' END AS source,
    h.message_id, h.actor_id, CASE WHEN h.message_id IS NULL THEN COALESCE(h.why, '') ELSE '' END AS wording
  FROM contacts_contact c
  CROSS JOIN LATERAL (
    SELECT max({channel}_consent_at) AS at FROM contacts_contact WHERE {address} = c.{address} AND id <> c.id
  ) o
  LEFT JOIN LATERAL (
    SELECT why, message_id, actor_id FROM contacts_change
    WHERE contact_id = c.id AND field = '{channel}'
      AND kind = CASE WHEN c.accepts_{channel} THEN 'opted_in' ELSE 'opted_out' END
    ORDER BY id DESC LIMIT 1
  ) h ON true
  WHERE c.{address} = ANY(%s) AND (
    NOT c.accepts_{channel} OR abs(extract(epoch FROM c.{channel}_consent_at - c.created_at)) >= 60)
) AS said
ORDER BY address_id, accepts, at, id
ON CONFLICT (address_id, key) DO NOTHING
"""
# The contacts go by it; their histories say so where that is news.
KEEP = """
WITH word AS (
  SELECT DISTINCT ON (address_id) * FROM contacts_consent
  WHERE address_id = ANY(%s) AND source <> 'undo' ORDER BY address_id, at DESC, accepts
), moving AS (
  SELECT c.id, c.accepts_{channel} AS accepted, w.accepts, w.at, w.source, w.wording, w.message_id, w.actor_id
  FROM word w JOIN contacts_contact c ON c.{address} = w.address_id
  WHERE (c.accepts_{channel}, c.{channel}_consent_at) IS DISTINCT FROM (w.accepts, w.at)
), moved AS (
  UPDATE contacts_contact c SET accepts_{channel} = m.accepts, {channel}_consent_at = m.at
  FROM moving m WHERE c.id = m.id
)
INSERT INTO contacts_change (contact_id, kind, field, old, new, why, message_id, actor_id)
SELECT m.id, CASE WHEN m.accepts THEN 'opted_in' ELSE 'opted_out' END, '{channel}', '', '',
  CASE WHEN m.source = 'administrator' THEN m.wording WHEN m.source <> 'answer' THEN m.source
    WHEN m.accepts THEN 'resubscribe' ELSE 'unsubscribe' END, m.message_id, m.actor_id
FROM moving m WHERE m.accepts <> m.accepted ORDER BY m.id
"""
CHANGES = """
WITH chunk AS (SELECT id FROM contacts_change WHERE id > %s ORDER BY id LIMIT %s)
SELECT (SELECT max(id) FROM chunk), h.contact_id, h.field, h.old, c.country
FROM chunk LEFT JOIN contacts_change h ON h.id = chunk.id AND h.kind = 'edited' AND h.field IN ('email', 'mobile')
  AND h.old <> ''
LEFT JOIN contacts_contact c ON c.id = h.contact_id
"""
HAD = """
INSERT INTO contacts_formeraddress (address_id, contact_id)
SELECT DISTINCT a.id, h.contact_id
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS h(contact_id, channel, value)
JOIN contacts_address a ON a.channel = h.channel AND a.value = h.value
JOIN contacts_contact c ON c.id = h.contact_id
  AND a.id IS DISTINCT FROM CASE h.channel WHEN 'email' THEN c.email_address_id ELSE c.mobile_address_id END
ON CONFLICT (address_id, contact_id) DO NOTHING
"""
COLUMNS = ({"channel": "email", "address": "email_address_id"}, {"channel": "sms", "address": "mobile_address_id"})


def take_over(apps, schema_editor):
    after = 0
    while True:
        with transaction.atomic(), schema_editor.connection.cursor() as cursor:
            cursor.execute(LAST, [after, CHUNK])
            (last,) = cursor.fetchone()
            if last is None:
                return
            ids = set()
            for of in COLUMNS:
                cursor.execute(ADDRESSES.format(**of), [after, last])
                ids.update(pk for (pk,) in cursor.fetchall())
            if ids:
                take_over_chunk(cursor, sorted(ids))
        after = last


def take_over_chunk(cursor, ids):
    # Both channels in one go: two in turn would be two orders.
    cursor.execute(LOCK_ADDRESSES, [ids])
    cursor.execute(LOCK_HOLDERS, [ids, ids])
    for of in COLUMNS:
        cursor.execute(RECORD.format(**of), [ids])
        cursor.execute(KEEP.format(**of), [ids])


def remember_former(apps, schema_editor):
    from contacts.addresses import normalise_mobile

    after = 0
    while after is not None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(CHANGES, [after, CHUNK])
            rows = cursor.fetchall()
            after, had = (rows[0][0] if rows else None), []
            for _last, contact_id, field, old, country in rows:
                if field == "email":
                    had.append((contact_id, "email", old.strip().lower()))
                elif field == "mobile":
                    with suppress(ValidationError):
                        had.append((contact_id, "sms", normalise_mobile(old, country or "")))
            if had:
                cursor.execute(HAD, [list(column) for column in zip(*had)])


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("contacts", "0011_consents")]

    operations = [
        migrations.RunPython(take_over, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(remember_former, migrations.RunPython.noop, elidable=True),
    ]
