"""Who may export the messages of a send-out. What became of earlier send-outs is counted in the background."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

SEE = ("messaging.view_outcome", "messaging.view_heard")
EXPORT = ("messaging.export_sendout",)
GROUPS = {"Marketers": (*SEE, *EXPORT), "Administrators": (*SEE, *EXPORT), "Support": SEE}


def grant(apps, schema_editor):
    create_permissions(installed.get_app_config("messaging"), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects
    for name, granted in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        for label, codename in (permission.split(".") for permission in granted):
            group.permissions.add(permissions.get(content_type__app_label=label, codename=codename))


class Migration(migrations.Migration):
    dependencies = [("messaging", "0014_outcomes")]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop, elidable=False)]
