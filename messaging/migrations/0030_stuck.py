from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0029_away")]

    operations = [
        migrations.AlterField(
            model_name="alarm",
            name="kind",
            field=models.CharField(
                choices=[
                    ("silent", "Silent"),
                    ("refused", "Signatures fail"),
                    ("away", "Nothing leaves"),
                    ("still", "A send-out stands still"),
                    ("queue", "The queue does not move"),
                    ("writes", "Nothing can be written"),
                ],
                max_length=7,
                verbose_name="kind",
            ),
        ),
    ]
