"""Events of a message are found by the primary key now. Dropped while events come in."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("messaging", "0020_event_key")]

    operations = [
        migrations.RunSQL(
            # As Django named it when it made the table.
            "DROP INDEX CONCURRENTLY IF EXISTS messaging_deliveryevent_message_id_fb73aa0c",
            state_operations=[
                migrations.AlterField(
                    model_name="deliveryevent",
                    name="message",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="messaging.message",
                    ),
                ),
            ],
        ),
    ]
