"""Built while messages come and go: the table is large."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("messaging", "0010_send_outs")]

    operations = [
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                "next_attempt_at", "id", condition=models.Q(next_attempt_at__isnull=False), name="message_retry"
            ),
        ),
    ]
