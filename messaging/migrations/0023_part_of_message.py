"""Built while messages come and go: the table may be large."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("messaging", "0022_doubts")]

    operations = [
        AddIndexConcurrently(model_name="part", index=models.Index("message", name="part_of_message")),
    ]
