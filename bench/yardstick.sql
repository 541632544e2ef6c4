-- The yardstick's own tables and data: the least that a statement like yardstick_apply.sql needs, filled as ours are.
-- status and type: 0 queued 1 sent 2 deferred 3 soft bounce 4 expired 5 delivered 6 opened 7 clicked 8 hard bounce
-- 9 complaint; the number is the rank. email_block: 0 none 1 soft 2 hard 3 complaint 4 unsubscribed.
CREATE SCHEMA yardstick;
SET LOCAL search_path = yardstick;

CREATE TABLE contact (
  id bigint PRIMARY KEY, email text, phone text, name text,
  email_block smallint NOT NULL DEFAULT 0, sms_block smallint NOT NULL DEFAULT 0,
  soft_count smallint NOT NULL DEFAULT 0, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE message (
  id bigint GENERATED ALWAYS AS IDENTITY, contact_id bigint NOT NULL, sendout_id integer NOT NULL,
  channel smallint NOT NULL, status smallint NOT NULL,
  sent_at timestamptz NOT NULL, status_at timestamptz NOT NULL, deferred_at timestamptz,
  bounce_type smallint, bounce_code text, bounce_reason text,
  provider_message_id text, subject text) WITH (fillfactor = 90);
CREATE TABLE delivery_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider smallint NOT NULL, event_id text NOT NULL, message_id bigint,
  type smallint NOT NULL, at timestamptz NOT NULL, received_at timestamptz NOT NULL DEFAULT now(), detail text);
CREATE UNIQUE INDEX delivery_event_key ON delivery_event (provider, event_id);

INSERT INTO contact (id, email, phone, name)
SELECT n, 'c' || n || '@example.org', '+43660' || lpad(n::text, 7, '0'), 'Contact ' || n
FROM generate_series(1::bigint, %(contacts)s) AS n;

INSERT INTO message (contact_id, sendout_id, channel, status, sent_at, status_at, deferred_at, bounce_type, bounce_code,
  bounce_reason, provider_message_id, subject)
SELECT 1 + floor(%(contacts)s * random() ^ 2)::bigint, send_out, channel, status, at, at + interval '90 seconds',
  CASE WHEN status = 2 THEN at + interval '60 seconds' END,
  CASE status WHEN 8 THEN 1 WHEN 3 THEN 2 END, CASE WHEN status IN (3, 8) THEN '5.1.1' END,
  CASE WHEN status IN (3, 8) THEN '550 5.1.1 The email account that you tried to reach does not exist.' END,
  CASE channel WHEN 1 THEN 'sg.' ELSE 'SM' END || substr(md5(n || 'x'), 1, 22), 'Newsletter ' || send_out
FROM (
  SELECT *, CASE WHEN send_out %% 5 = 0 THEN 2 ELSE 1 END AS channel, CASE
    WHEN n %% 10 BETWEEN 1 AND %(unsettled)s THEN 1
    WHEN luck < 0.02 THEN 2 WHEN luck < 0.55 THEN 5 WHEN luck < 0.85 THEN 6 WHEN luck < 0.90 THEN 7
    WHEN luck < 0.93 THEN 8 WHEN luck < 0.96 THEN 3 ELSE 1 END AS status
  FROM (
    SELECT n, 1 + (n - 1) / %(per_send_out)s AS send_out, random() AS luck,
      now() - interval '365 days' * (1 - n / %(messages)s::float8) AS at
    FROM generate_series(1::bigint, %(messages)s) AS n
    OFFSET 0
  ) AS drawn
) AS settled;

ALTER TABLE message ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX message_pmid ON message (provider_message_id);
CREATE INDEX message_contact ON message (contact_id, sent_at DESC);
