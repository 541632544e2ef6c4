"""Administrators may import and export blocks."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

GRANTED = ("import_block", "export_block")


def grant(apps, schema_editor):
    create_permissions(installed.get_app_config("contacts"), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="contacts")
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name="Administrators")
    group.permissions.add(*permissions.filter(codename__in=GRANTED))


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0008_block_rules"),
        ("contacts", "0005_block_list_indexes"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop, elidable=False)]
