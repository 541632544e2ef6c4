"""What a restore found at work, and why the database was restored."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0026_claims")]

    operations = [
        migrations.AddField(
            model_name="restore",
            name="found",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="restore",
            name="why",
            field=models.CharField(blank=True, db_default="", default="", max_length=500, verbose_name="why"),
        ),
    ]
