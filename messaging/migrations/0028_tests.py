"""Tests stand in the history of their send-out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0027_restore_found")]

    operations = [
        migrations.AlterField(
            model_name="sendoutchange",
            name="kind",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("edited", "Edited"),
                    ("scheduled", "Scheduled"),
                    ("unscheduled", "Taken back to draft"),
                    ("started", "Started"),
                    ("paused", "Paused"),
                    ("resumed", "Resumed"),
                    ("cancelled", "Cancelled"),
                    ("done", "Done"),
                    ("tested", "Test sent"),
                ],
                max_length=11,
                verbose_name="what",
            ),
        ),
    ]
