"""The three groups of people that use Engage, with what each may do."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

SEE = (
    "contacts.view_contact", "contacts.view_address", "contacts.view_block", "contacts.view_change",
    "messaging.view_message", "messaging.view_sendout", "messaging.view_deliveryevent",
)
GROUPS = {
    "Marketers": SEE,
    "Administrators": (*SEE, "contacts.lift_block"),
    "Support": (
        *SEE, "contacts.add_contact", "contacts.change_contact",
        "messaging.view_report", "messaging.change_report",
    ),
}


def make_groups(apps, schema_editor):
    for label in ("contacts", "messaging"):
        create_permissions(installed.get_app_config(label), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects
    for name, granted in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        for label, codename in (permission.split(".") for permission in granted):
            group.permissions.add(permissions.get(content_type__app_label=label, codename=codename))


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0002_storage"),
        ("contacts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop, elidable=False)]
