"""From now on a token proves one purpose. Those of the versions before go on being good for the messages that may have
one: those that are there, and what a worker of the version before still makes until it is stopped.
"""

from django.db import migrations, models
from django.db.models.functions import Now

# Nobody but the version before can make such a token up, so it is no matter that there is room.
ROOM = 100_000
NOTE = """
INSERT INTO messaging_oldtokens (last_message)
SELECT coalesce(max(id) + %s, 0) FROM messaging_message
"""


def note(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(NOTE, [ROOM])


class Migration(migrations.Migration):
    dependencies = [("messaging", "0023_part_of_message")]

    operations = [
        migrations.CreateModel(
            name="OldTokens",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("last_message", models.BigIntegerField(verbose_name="last message")),
                ("at", models.DateTimeField(db_default=Now(), verbose_name="since")),
            ],
            options={"verbose_name": "old tokens", "verbose_name_plural": "old tokens"},
        ),
        migrations.AlterField(
            model_name="deliveryevent",
            name="caveat",
            field=models.CharField(
                blank=True,
                choices=[
                    ("guessed", "The message was guessed by address or number and time"),
                    ("named", "The mail names the message by what readers of it can see"),
                    ("passed_on", "About an address to which it was passed on"),
                    ("in_doubt", "Nobody heard whether it was taken, so it is not sent again by itself"),
                ],
                db_default="",
                default="",
                max_length=9,
                verbose_name="caveat",
            ),
        ),
        migrations.RunPython(note, migrations.RunPython.noop),
    ]
