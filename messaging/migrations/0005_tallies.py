"""What arrives is counted by the hour; refused reports, which were counted by the day, move in there.

While the old version is still at work, it answers a refused report with 500 instead of 403: nothing is lost by that.
"""

import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

GROUPS = {
    "Administrators": ("see_providers",),
    "Support": ("view_tally", "view_unlistedcode", "view_alarm"),
}
# A day's count stands in its first hour.
MOVE_REFUSALS = """
INSERT INTO messaging_tally (provider, hour, refused, refused_at)
SELECT provider, day::timestamp AT TIME ZONE 'UTC', count, last_at FROM messaging_refusal
"""


def grant(apps, schema_editor):
    create_permissions(installed.get_app_config("messaging"), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="messaging")
    for name, codenames in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*permissions.filter(codename__in=codenames))


class Migration(migrations.Migration):

    dependencies = [
        ('messaging', '0004_report_look'),
    ]

    operations = [
        migrations.CreateModel(
            name='Alarm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=30, verbose_name='provider')),
                ('kind', models.CharField(choices=[('silent', 'Silent'), ('refused', 'Signatures fail')], max_length=7, verbose_name='kind')),
                ('started_at', models.DateTimeField(verbose_name='start')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='end')),
            ],
            options={
                'verbose_name': 'alarm',
                'verbose_name_plural': 'alarms',
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=30, verbose_name='provider')),
                ('hour', models.DateTimeField(verbose_name='hour')),
                ('reports', models.BigIntegerField(db_default=0, default=0, verbose_name='reports')),
                ('events', models.BigIntegerField(db_default=0, default=0, verbose_name='events')),
                ('unreadable', models.BigIntegerField(db_default=0, default=0, verbose_name='could not be read')),
                ('unmatched', models.BigIntegerField(db_default=0, default=0, verbose_name='waited for their message')),
                ('set_aside', models.BigIntegerField(db_default=0, default=0, verbose_name='set aside')),
                ('refused', models.BigIntegerField(db_default=0, default=0, verbose_name='refused')),
                ('last_at', models.DateTimeField(blank=True, null=True, verbose_name='last report')),
                ('refused_at', models.DateTimeField(blank=True, null=True, verbose_name='last refusal')),
            ],
            options={
                'verbose_name': 'reports of an hour',
                'verbose_name_plural': 'reports by the hour',
                'permissions': [('see_providers', 'Can see how the providers are doing')],
            },
        ),
        migrations.CreateModel(
            name='UnlistedCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=30, verbose_name='provider')),
                ('space', models.CharField(max_length=40, verbose_name='table')),
                ('code', models.CharField(max_length=60, verbose_name='code')),
                ('count', models.BigIntegerField(db_default=0, default=0, verbose_name='how often')),
                ('first_at', models.DateTimeField(verbose_name='first seen')),
                ('last_at', models.DateTimeField(verbose_name='last seen')),
            ],
            options={
                'verbose_name': 'unlisted code',
                'verbose_name_plural': 'unlisted codes',
            },
        ),
        migrations.RunSQL(MOVE_REFUSALS, migrations.RunSQL.noop),
        migrations.DeleteModel(
            name='Refusal',
        ),
        migrations.AddField(
            model_name='report',
            name='is_counted',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddConstraint(
            model_name='alarm',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('provider', 'kind'), name='alarm_once_open'),
        ),
        migrations.AddConstraint(
            model_name='tally',
            constraint=models.UniqueConstraint(fields=('provider', 'hour'), name='tally_once_an_hour'),
        ),
        migrations.AddField(
            model_name='unlistedcode',
            name='report',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='messaging.report', verbose_name='latest report'),
        ),
        migrations.AddConstraint(
            model_name='unlistedcode',
            constraint=models.UniqueConstraint(fields=('provider', 'space', 'code'), name='unlisted_once'),
        ),
        migrations.RunPython(grant, migrations.RunPython.noop, elidable=False),
    ]
