"""One index for what two did: built while events come in, since the table is large."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("messaging", "0018_taken_at_last")]

    operations = [
        # What an attempt that was cut off has left is of no use.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS event_once", migrations.RunSQL.noop),
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY event_once ON messaging_deliveryevent (message_id, key)",
            migrations.RunSQL.noop,
        ),
    ]
