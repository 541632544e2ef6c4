"""The set-based statements of data.py and sweep.py."""

from typing import Final

CONSTRAINTS_OF: Final = """
SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s::regclass AND contype IN ('f', 'u') ORDER BY contype DESC, conname
"""
INDEXES_OF: Final = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid = %s::regclass AND NOT i.indisprimary
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid)
ORDER BY 1
"""

# Names and domains that are common, rare ones by the tail of a square; 7919 spreads the numbers over all digits.
CONTACTS: Final = """
INSERT INTO contacts_contact (id, guid, first_name, last_name, email, mobile, mobile_digits, email_address_id,
  mobile_address_id, country, language, email_consent_at, sms_consent_at)
SELECT n, gen_random_uuid(), first_name, last_name,
  translate(lower(first_name || '.' || last_name), 'åäöéüø', 'aaoeuo') || n || '@' || domain,
  '+46 70 ' || to_char(digits, 'FM000"  "0000'), '+4670' || to_char(digits, 'FM0000000'),
  n, %(contacts)s + n, 'SE', 'sv', now() - interval '2 years', now() - interval '2 years'
FROM (
  SELECT n, n * 7919 %% 10000000 AS digits,
    first_names[1 + floor(cardinality(first_names) * random() ^ 2)::int] AS first_name,
    last_names[1 + floor(cardinality(last_names) * random() ^ 2)::int]
      || (ARRAY['', '', '', 'sson', 'berg', 'lund', 'ström', 'man'])[1 + floor(8 * random())::int] AS last_name,
    domains[1 + floor(cardinality(domains) * random() ^ 3)::int] AS domain
  FROM generate_series(1, %(contacts)s) AS n, (SELECT
    string_to_array('Anna Erik Maria Lars Karin Anders Elisabeth Johan Margareta Per Kristina Nils Eva Karl Birgitta
      Mikael Linnéa Jan Marie Lennart Ingrid Hans Sofia Peter Emma Olof Sara Gunnar Åsa Sven Malin Fredrik Jenny Bengt
      Annika Bo Ulla Daniel Johanna Gustav Hanna Göran Helena Åke Ida Magnus Elin Alexander Monica Stefan Julia Torsten
      Amanda John Astrid Mats Lena Thomas Gunilla Leif Ali Fatima Mohammed Zahra Björn Agneta Ulf Wilma Kjell Cecilia
      Oskar Ebba Viktor Saga Hugo Maja Emil Alva Ludvig Freja Axel Nora Olle Signe Søren Kirsten Jürgen Ana', ' ') - ''
      AS first_names,
    string_to_array('x', ' ') AS last_names, string_to_array('x', ' ') AS domains) AS names
) AS people
"""
