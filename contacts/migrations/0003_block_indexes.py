"""The domain of the blocks that are there already, in chunks, and the indexes by which an outage is found."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

CHUNK = 5_000
FILL = """
WITH chunk AS (SELECT id FROM contacts_block WHERE id > %s ORDER BY id LIMIT %s),
filled AS (
  UPDATE contacts_block b SET domain = split_part(a.value, '@', -1)
  FROM chunk s, contacts_address a WHERE b.id = s.id AND a.id = b.address_id AND a.channel = 'email'
)
SELECT max(id) FROM chunk
"""


def fill_domains(apps, schema_editor):
    last = 0
    while last is not None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(FILL, [last, CHUNK])
            (last,) = cursor.fetchone()


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("contacts", "0002_block_rules")]

    operations = [
        migrations.RunPython(fill_domains, migrations.RunPython.noop, elidable=True),
        AddIndexConcurrently(
            model_name="block",
            index=models.Index("domain", "started_at", condition=~Q(domain=""), name="block_of_domain"),
        ),
        AddIndexConcurrently(
            model_name="block",
            index=models.Index("domain", "started_at", condition=Q(alive_at__isnull=False), name="block_of_living"),
        ),
        AddIndexConcurrently(
            model_name="block",
            index=models.Index("outage", "id", condition=Q(outage__isnull=False), name="block_of_outage"),
        ),
        AddIndexConcurrently(
            model_name="block",
            index=models.Index(
                "address", condition=Q(ended_at=None, cause="soft_bounces"), name="block_of_soft_bounces"
            ),
        ),
    ]
