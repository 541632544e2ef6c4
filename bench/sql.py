"""The set-based statements that make the data. Client-side parameters: %% is a percent sign, %(name)s a value."""

from typing import Final

CONSTRAINTS_OF: Final = """
SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s::regclass AND contype IN ('f', 'u') ORDER BY contype DESC, conname
"""
INDEXES_OF: Final = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i
WHERE indrelid = %s::regclass AND NOT indisprimary
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid)
ORDER BY 1
"""

# Common names are common: the draw is squared. 7919 is prime, so the numbers are all different.
CONTACTS: Final = """
INSERT INTO contacts_contact (id, guid, first_name, last_name, email, mobile, mobile_digits, email_address_id,
  mobile_address_id, country, language, email_consent_at, sms_consent_at)
SELECT n, gen_random_uuid(), first_name, last_name,
  translate(lower(first_name || '.' || last_name), 'åäöéüø', 'aaoeuo') || n || '@' || domain,
  format('+46 70 %%s %%s %%s', substr(digits, 1, 3), substr(digits, 4, 2), substr(digits, 6, 2)), '+4670' || digits,
  n, %(contacts)s + n, 'SE', 'sv', now() - interval '2 years', now() - interval '2 years'
FROM (
  SELECT n, lpad((n * 7919 %% 10000000)::text, 7, '0') AS digits,
    first[1 + floor(cardinality(first) * random() ^ 2)::int] AS first_name,
    stem[1 + floor(cardinality(stem) * random() ^ 2)::int] || ending[1 + floor(cardinality(ending) * random())::int]
      AS last_name,
    domain[1 + floor(cardinality(domain) * random() ^ 3)::int] AS domain
  FROM generate_series(1::bigint, %(contacts)s) AS n,
    (SELECT %(first)s::text[], %(stem)s::text[], %(ending)s::text[], %(domain)s::text[]) AS w(first, stem, ending, domain)
  OFFSET 0
) AS people
"""

ADDRESSES: Final = """
INSERT INTO contacts_address (id, channel, value)
SELECT email_address_id, 'email', email FROM contacts_contact UNION ALL
SELECT mobile_address_id, 'sms', mobile_digits FROM contacts_contact ORDER BY 1
"""

# Every fifth is by SMS.
SEND_OUTS: Final = """
INSERT INTO messaging_sendout (id, name, channel, subject, created_at)
SELECT n, 'Newsletter ' || n, CASE WHEN n %% 5 = 0 THEN 'sms' ELSE 'email' END, 'News of week ' || n,
  now() - interval '365 days' * (1 - n / %(send_outs)s::float8)
FROM generate_series(1, %(send_outs)s) AS n
"""
CONTENTS: Final = """
INSERT INTO messaging_content (id, send_out_id, version, subject, html, text)
SELECT id, id, 1, subject, CASE channel WHEN 'email' THEN '<p>The news of this week.</p>' ELSE '' END,
  'The news of this week.'
FROM messaging_sendout
"""

# Spread over a year. A contact drawn a second time for a send-out gets a single message instead. The rank is that of
# messaging/status/order.py: tier, microseconds, severity.
MESSAGES: Final = """
WITH drawn AS (
  SELECT n, 1 + (n - 1) / %(per_send_out)s AS send_out_id, 1 + floor(%(contacts)s * random() ^ 2)::bigint AS contact_id,
    random() AS luck, now() - interval '365 days' * (1 - n / %(messages)s::float8) AS at
  FROM generate_series(%(start)s::bigint, %(stop)s) AS n
), addressed AS (
  SELECT *, CASE WHEN send_out_id %% 5 = 0 THEN 'sms' ELSE 'email' END AS channel,
    row_number() OVER (PARTITION BY send_out_id, contact_id ORDER BY n) = 1 AS is_first
  FROM drawn
), settled AS (
  SELECT *, CASE
    WHEN n %% 10 BETWEEN 1 AND %(unsettled)s THEN 'unknown'
    WHEN channel = 'email' THEN CASE
      WHEN luck < 0.02 THEN 'deferred' WHEN luck < 0.55 THEN 'delivered' WHEN luck < 0.90 THEN 'opened'
      WHEN luck < 0.93 THEN 'hard_bounce' WHEN luck < 0.96 THEN 'soft_bounce' ELSE 'unknown' END
    ELSE CASE
      WHEN luck < 0.86 THEN 'delivered' WHEN luck < 0.89 THEN 'hard_bounce' WHEN luck < 0.92 THEN 'soft_bounce'
      WHEN luck < 0.94 THEN 'failed' WHEN luck < 0.96 THEN 'expired' WHEN luck < 0.98 THEN 'untraceable'
      ELSE 'unknown' END
    END AS status
  FROM addressed
), meaning (status, tier, severity, reason, code, diagnostic) AS (VALUES
  ('unknown', 1, 0, '', '', ''), ('delivered', 4, 0, '', '', '250 2.0.0 OK'), ('opened', 4, 0, '', '', ''),
  ('deferred', 2, 0, 'greylisted', '450 4.2.0', '450 4.2.0 Greylisted, please try again in 300 seconds'),
  ('soft_bounce', 4, 1, 'mailbox_full', '552 5.2.2', '552 5.2.2 The recipient''s inbox is out of storage space.'),
  ('hard_bounce', 4, 4, 'user_unknown', '550 5.1.1',
    '550 5.1.1 The email account that you tried to reach does not exist.'),
  ('failed', 4, 3, 'unknown', '30008', ''), ('expired', 3, 1, 'expired', '', ''), ('untraceable', 3, 0, '', '', '')
)
INSERT INTO messaging_message (id, channel, send_out_id, content_id, contact_id, address_id, subject, provider,
  provider_message_id, created_at, sent_at, due_at, status, rank, decided_by, status_at, is_opened, is_opened_by_person,
  reason, code, diagnostic, said_by)
SELECT n, channel, CASE WHEN is_first THEN send_out_id END, CASE WHEN is_first THEN send_out_id END, contact_id,
  CASE channel WHEN 'email' THEN contact_id ELSE %(contacts)s + contact_id END,
  CASE WHEN is_first THEN '' ELSE 'Your order ' || n END,
  CASE channel WHEN 'email' THEN 'sendgrid' ELSE 'twilio' END,
  CASE channel WHEN 'email' THEN 'sg.' ELSE 'SM' END || substr(md5(n || 'x'), 1, 22),
  at - interval '1 minute', at,
  CASE WHEN status = 'deferred' THEN at + interval '72 hours'
       WHEN channel = 'sms' AND (status = 'unknown' OR at > now() - interval '48 hours') THEN at + interval '48 hours' END,
  status, (tier::bigint << 55 | (extract(epoch FROM at) * 1000000)::bigint + 90000000) << 3 | severity,
  gen_random_uuid(), at + interval '90 seconds', status = 'opened', status = 'opened' AND luck < 0.75,
  reason, code, diagnostic, CASE WHEN diagnostic = '' THEN '' ELSE 'mx1.example.net' END
FROM settled JOIN meaning USING (status) ORDER BY n
"""

_DUE: Final = "due_at <= now() AND status = CASE channel WHEN 'email' THEN 'deferred' ELSE 'unknown' END"
COUNT_DUE: Final = f"SELECT count(*) FROM messaging_message WHERE {_DUE}"
# The least that could be done to them: no event, no reason, nothing compared, in one go.
GIVE_UP_PLAINLY: Final = f"""
UPDATE messaging_message SET
  status = CASE channel WHEN 'email' THEN 'soft_bounce' ELSE 'expired' END,
  rank = (3::bigint << 55 | (extract(epoch FROM due_at) * 1000000)::bigint) << 3 | 1, due_at = NULL
WHERE {_DUE}
"""

# Of a hundred contacts two have no email, three opted out, five have a blocked one, two share one.
FATES: Final = """
UPDATE contacts_contact SET email_address_id = NULL WHERE id % 50 = 1;
UPDATE contacts_contact SET accepts_email = false WHERE id % 33 = 2;
UPDATE contacts_contact SET email_address_id = id - 1 WHERE id % 50 = 13;
INSERT INTO contacts_block (address_id, started_at, cause, reason, code, diagnostic, end_reason)
SELECT id, now(), 'bench', 'user_unknown', '', '', '' FROM contacts_address WHERE channel = 'email' AND id % 20 = 5;
ANALYZE
"""
KEEP_ROWS: Final = """
CREATE TABLE bench_rows AS
SELECT channel, send_out_id, contact_id, address_id, content_id, status FROM messaging_message ORDER BY contact_id
"""
UNMAKE_ROWS: Final = """
TRUNCATE messaging_message, messaging_leftout, messaging_batch, messaging_movement, messaging_total,
  messaging_progress, messaging_sendoutchange CASCADE;
UPDATE messaging_sendout SET state = 'draft'
"""
# The least that could be done: what becomes of whom is known already.
INSERT_ROWS: Final = """
INSERT INTO messaging_message (channel, send_out_id, contact_id, address_id, content_id, subject, provider, status)
SELECT channel, send_out_id, contact_id, address_id, content_id, '', '', status FROM bench_rows
"""
