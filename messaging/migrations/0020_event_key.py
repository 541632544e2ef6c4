"""The new index becomes the primary key: a moment's lock, since nothing is read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0019_event_once")]

    operations = [
        migrations.RunSQL(
            """
            SET LOCAL lock_timeout = '5s';
            ALTER TABLE messaging_deliveryevent
              DROP CONSTRAINT messaging_deliveryevent_pkey,
              ADD CONSTRAINT event_once PRIMARY KEY USING INDEX event_once
            """,
            state_operations=[
                migrations.AddConstraint(
                    model_name="deliveryevent",
                    constraint=models.UniqueConstraint(fields=("message", "key"), name="event_once"),
                ),
            ],
        ),
    ]
