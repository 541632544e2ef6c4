"""By which turn a batch is claimed; which installation this database belongs to; and what is decided after a restore.

A database that has sent something, and is from before this, says so by its place: installation.look tells a dump of
that age from an upgrade.
"""

import datetime

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
from django.apps import apps as installed
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

FIRST = """
INSERT INTO messaging_installation (place)
SELECT CASE WHEN EXISTS (SELECT FROM messaging_sendout WHERE started_at IS NOT NULL) THEN 'before' ELSE '' END
ON CONFLICT DO NOTHING
"""
# A row that is rewritten every few seconds, in its own page.
LEAN = """
ALTER TABLE messaging_installation SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000)
"""
GROUPS = {
    "Marketers": ("messaging.view_restore",),
    "Administrators": ("messaging.view_restore", "messaging.decide_restore"),
    "Support": ("messaging.view_restore",),
}


def grant(apps, schema_editor):
    create_permissions(installed.get_app_config("messaging"), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects
    for name, granted in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        for label, codename in (permission.split(".") for permission in granted):
            group.permissions.add(permissions.get(content_type__app_label=label, codename=codename))


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0024_old_tokens"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="batch",
            name="claimed_by",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("id", models.SmallIntegerField(
                    db_default=1, default=1, editable=False, primary_key=True, serialize=False)),
                ("history", models.UUIDField(
                    db_default=django.contrib.postgres.functions.RandomUUID(), editable=False)),
                ("mark", models.BigIntegerField(db_default=0, default=0)),
                ("marked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("whole_since", models.DateTimeField(
                    db_default=datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC),
                    default=datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))),
                ("place", models.CharField(blank=True, db_default="", default="", max_length=100)),
                ("held_at", models.DateTimeField(blank=True, null=True, verbose_name="nothing leaves since")),
            ],
            options={
                "verbose_name": "installation",
                "verbose_name_plural": "installations",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="installation_one_row")],
            },
        ),
        migrations.CreateModel(
            name="Restore",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("noticed_at", models.DateTimeField(
                    db_default=django.db.models.functions.datetime.Now(), verbose_name="noticed")),
                ("as_of", models.DateTimeField(blank=True, null=True, verbose_name="as of")),
                ("sign", models.CharField(blank=True, db_default="", default="", max_length=10)),
                ("last_message", models.BigIntegerField(blank=True, null=True)),
                ("choices", models.JSONField(db_default={}, default=dict)),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                ("decided_by", models.ForeignKey(
                    blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                    to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name": "restore",
                "verbose_name_plural": "restores",
                "permissions": [("decide_restore", "Can decide what leaves after a restore")],
                "constraints": [
                    models.UniqueConstraint(
                        models.Value(1), condition=models.Q(("ended_at__isnull", True)), name="one_restore_at_a_time")
                ],
            },
        ),
        migrations.RunSQL(LEAN, migrations.RunSQL.noop),
        migrations.RunSQL(FIRST, migrations.RunSQL.noop),
        migrations.RunPython(grant, migrations.RunPython.noop, elidable=False),
    ]
