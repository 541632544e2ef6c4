"""The few reports that need a person are found without looking through all of them."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("messaging", "0003_groups")]

    operations = [
        AddIndexConcurrently(
            model_name="report",
            index=models.Index(
                models.F("state"),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(("state__in", ("unreadable", "set_aside", "unmatched"))),
                name="report_look",
            ),
        ),
    ]
