"""Send-outs made before are done, their totals counted; who may make, steer and label.

While this runs, workers of the version before may still raise messages without counting that:
`manage.py recount` sets the totals right once all of them are gone.
"""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

DONE = "UPDATE messaging_sendout SET state = 'done', state_at = created_at, started_at = created_at"
COUNT = """
INSERT INTO messaging_total (send_out_id, figure, count)
SELECT send_out_id, status, count(*) FROM messaging_message WHERE send_out_id IS NOT NULL GROUP BY 1, 2
"""
# Movements live for seconds: whoever folds them takes all there are.
LEDGER = """
ALTER TABLE messaging_movement SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000)
"""
LEDGER_BACK = """
ALTER TABLE messaging_movement RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
  autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold)
"""
SEE = (
    "contacts.view_label", "messaging.view_content", "messaging.view_sendoutchange", "messaging.view_leftout",
    "messaging.view_progress", "messaging.view_batch", "messaging.view_total", "messaging.view_addresslist",
    "messaging.view_mastercontrol",
)
STEER = ("contacts.label_contact", "messaging.steer_sendout", "messaging.set_master_control")
GROUPS = {
    "Marketers": (*SEE, *STEER, "messaging.make_sendout"),
    "Administrators": (*SEE, *STEER),
    "Support": (*SEE, "contacts.label_contact"),
}


def grant(apps, schema_editor):
    for label in ("contacts", "messaging"):
        create_permissions(installed.get_app_config(label), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects
    for name, granted in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        for label, codename in (permission.split(".") for permission in granted):
            group.permissions.add(permissions.get(content_type__app_label=label, codename=codename))


class Migration(migrations.Migration):
    dependencies = [("messaging", "0011_message_retry"), ("contacts", "0006_labels")]

    operations = [
        migrations.RunSQL(DONE, migrations.RunSQL.noop),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RunSQL(LEDGER, LEDGER_BACK),
        migrations.RunPython(grant, migrations.RunPython.noop, elidable=False),
    ]
