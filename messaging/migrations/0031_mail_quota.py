"""Built while reports come in: the table may be large."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("messaging", "0030_stuck")]

    operations = [
        migrations.RunSQL("SET lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField("tally", "dropped", models.BigIntegerField("dropped", db_default=0, default=0)),
        migrations.AddField("tally", "put_off", models.BigIntegerField("put off", db_default=0, default=0)),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="report",
            index=models.Index("id", condition=models.Q(provider="mail", state="new"), name="report_mail_waits"),
        ),
        AddIndexConcurrently(
            model_name="report",
            index=models.Index(
                "id", condition=models.Q(provider="mail") & ~models.Q(state="new"), name="report_mail_read"
            ),
        ),
    ]
