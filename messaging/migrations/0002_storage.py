"""Leave room in the pages of messages, so that raising a status rewrites the row in place (HOT)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE messaging_message SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02)",
            "ALTER TABLE messaging_message RESET (fillfactor, autovacuum_vacuum_scale_factor)",
        ),
        migrations.RunSQL(
            "ALTER TABLE messaging_report SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02)",
            "ALTER TABLE messaging_report RESET (fillfactor, autovacuum_vacuum_scale_factor)",
        ),
    ]
