"""What contacts are found by, in plain letters (contacts/folding.py), written by PostgreSQL with every row.

No table is written anew: the column stays where it is and only stops being generated; a trigger writes it from then
on, also what processes of the version before save meanwhile; what is there follows in chunks, and the index stays.
"""

from django.db import migrations, models

CHUNK = 5_000
FUNCTIONS = r"""
CREATE FUNCTION contacts_plain(typed text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF typed ~ '^[ -_a-~]*$' THEN
    RETURN lower(typed);
  END IF;
  RETURN normalize(
    translate(
      replace(replace(replace(replace(replace(regexp_replace(
        lower(normalize(regexp_replace(regexp_replace(typed,
          '[\u0060\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u05f3\u2018\u2019\u201b\u2032\ua78c]', '''', 'g'),
          '[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]', '-', 'g'), NFKD)),
        '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff'
        '\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f'
        '\u0670\u06d6-\u06dc\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]', '', 'g'),
        'ß', 'ss'), 'ẞ', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
      'øđðłħŧŋıĸəςىیکة', 'oddlhtnikeσييكه'),
    NFC);
END
$$;
CREATE FUNCTION contacts_fold(typed text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  plain text := contacts_plain(typed);
  symbols text := '[!-&(-*,/:-?\[-`{-~¡-¿×÷\u2016-\u2bff\u3001-\u303f\U0001f000-\U0001faff]';
BEGIN
  IF plain !~ symbols THEN
    RETURN replace(plain, '''', '');
  END IF;
  RETURN replace(plain, '''', '') || (
    SELECT string_agg(DISTINCT ' zq' || to_hex(ascii(each[1])) || 'q', '')
    FROM regexp_matches(plain, symbols, 'g') AS each
  );
END
$$;
CREATE FUNCTION contacts_found_by(names text, addresses text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  written text;
BEGIN
  IF names ~ '^[ -~]*$' THEN
    RETURN contacts_fold(names || ' ' || addresses);
  END IF;
  written := lower(normalize(names, NFC));
  IF written !~ '[äöüåæøđ]' THEN
    RETURN contacts_fold(names || ' ' || addresses);
  END IF;
  written := replace(replace(replace(replace(replace(replace(replace(
    written, 'ä', 'ae'), 'ö', 'oe'), 'ü', 'ue'), 'å', 'aa'), 'æ', 'ae'), 'ø', 'oe'), 'đ', 'dj');
  RETURN contacts_fold(names || ' ' || addresses) || ' ' || contacts_fold(written);
END
$$;
CREATE FUNCTION contacts_find_by() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.search := contacts_found_by(NEW.first_name || ' ' || NEW.last_name, NEW.email || ' ' || NEW.mobile_digits);
  RETURN NEW;
END
$$;
"""
TRIGGER = """
ALTER TABLE contacts_contact ALTER COLUMN search DROP EXPRESSION;
ALTER TABLE contacts_contact ALTER COLUMN search SET DEFAULT '';
CREATE TRIGGER contact_found_by BEFORE INSERT OR UPDATE OF first_name, last_name, email, mobile_digits, search
ON contacts_contact FOR EACH ROW EXECUTE FUNCTION contacts_find_by();
"""
FOLD = """
WITH chunk AS (SELECT id FROM contacts_contact WHERE id > %s ORDER BY id LIMIT %s),
folded AS (
  UPDATE contacts_contact c SET search = '' FROM chunk s WHERE c.id = s.id AND c.search IS DISTINCT FROM
    contacts_found_by(c.first_name || ' ' || c.last_name, c.email || ' ' || c.mobile_digits)
)
SELECT max(id) FROM chunk
"""


def fold_what_is_there(apps, schema_editor):
    last = 0
    while last is not None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(FOLD, [last, CHUNK])
            (last,) = cursor.fetchone()


def lock_briefly(apps, schema_editor):
    """Rather fail and be tried again than have everybody wait for a lock that does not come."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
        try:
            cursor.execute(f"BEGIN;{FUNCTIONS}{TRIGGER}COMMIT")
        finally:
            cursor.execute("ROLLBACK; RESET lock_timeout")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("contacts", "0007_long_addresses")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(lock_briefly, elidable=False)],
            state_operations=[
                migrations.AlterField(
                    model_name="contact",
                    name="search",
                    field=models.TextField(blank=True, db_default="", editable=False),
                ),
            ],
        ),
        migrations.RunPython(fold_what_is_there, migrations.RunPython.noop, elidable=True),
    ]
