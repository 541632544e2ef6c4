-- The yardstick: events applied by one plain statement that locks in a fixed order, on the tables of yardstick.sql.
WITH incoming AS (
  SELECT * FROM unnest(%s::smallint[], %s::text[], %s::text[], %s::smallint[], %s::float8[], %s::text[])
    AS i (provider, event_id, provider_message_id, type, at, detail)
), found AS (
  SELECT i.provider, i.event_id, m.id AS message_id, i.type, to_timestamp(i.at) AS at, i.detail
  FROM incoming i LEFT JOIN yardstick.message m ON m.provider_message_id = i.provider_message_id
), fresh AS (
  INSERT INTO yardstick.delivery_event (provider, event_id, message_id, type, at, detail)
  SELECT provider, event_id, message_id, type, at, detail FROM found ORDER BY provider, event_id
  ON CONFLICT (provider, event_id) DO NOTHING
  RETURNING message_id, type, at, detail
), best AS (
  SELECT DISTINCT ON (message_id) message_id, type, at, detail FROM fresh WHERE message_id IS NOT NULL
  ORDER BY message_id, type DESC, at
), locked AS (
  SELECT m.id, b.type, b.at, b.detail FROM yardstick.message m JOIN best b ON b.message_id = m.id
  WHERE b.type > m.status ORDER BY m.id FOR UPDATE OF m
), locked_contacts AS (
  SELECT id FROM yardstick.contact
  WHERE id IN (SELECT m.contact_id FROM yardstick.message m JOIN locked l ON l.id = m.id WHERE l.type IN (3, 8, 9))
  ORDER BY id FOR UPDATE
), raised AS (
  UPDATE yardstick.message m SET status = l.type, status_at = l.at,
    deferred_at = CASE WHEN l.type = 2 THEN l.at END,
    bounce_type = CASE l.type WHEN 8 THEN 1 WHEN 3 THEN 2 ELSE m.bounce_type END,
    bounce_reason = coalesce(l.detail, m.bounce_reason)
  FROM locked l WHERE m.id = l.id AND l.type > m.status
  RETURNING m.contact_id, m.status
), blocked AS (
  UPDATE yardstick.contact c SET email_block = greatest(c.email_block, x.block), soft_count = c.soft_count + x.soft,
    updated_at = now()
  FROM (
    SELECT contact_id, max(CASE status WHEN 8 THEN 2 WHEN 9 THEN 3 ELSE 0 END)::smallint AS block,
      count(*) FILTER (WHERE status = 3) AS soft
    FROM raised WHERE status IN (3, 8, 9) GROUP BY contact_id ORDER BY contact_id
  ) AS x
  WHERE c.id = x.contact_id AND c.id IN (SELECT id FROM locked_contacts)
  RETURNING 1
)
SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM raised), (SELECT count(*) FROM blocked)
