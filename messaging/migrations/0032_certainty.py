"""A constant default: no table is rewritten, however large."""

from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("messaging", "0031_mail_quota")]

    operations = [
        migrations.RunSQL("SET lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            "deliveryevent",
            "certainty",
            models.CharField(
                "how sure",
                max_length=5,
                blank=True,
                default="",
                db_default="",
                choices=[
                    ("plain", "Said so plainly"),
                    ("code", "By its code alone"),
                    ("guess", "Guessed: the reply says too little to be sure"),
                ],
            ),
        ),
        migrations.AddField(
            "outagerule",
            "needs_second",
            models.BooleanField("guessed hard bounces need a second one", default=True, db_default=True),
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
