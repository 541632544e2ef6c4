"""The rules by which addresses are blocked, and who may change them."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.apps import apps as installed
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models


def grant(apps, schema_editor):
    create_permissions(installed.get_app_config("contacts"), verbosity=0, using=schema_editor.connection.alias)
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name="Administrators")
    permissions = apps.get_model("auth", "Permission").objects
    group.permissions.add(permissions.get(content_type__app_label="contacts", codename="set_block_rules"))


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0003_block_indexes'),
        ('messaging', "0007_event_caveat"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BlockRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(choices=[('email', 'Email'), ('sms', 'SMS')], max_length=5, unique=True, verbose_name='channel')),
                ('is_on', models.BooleanField(default=False, verbose_name='on')),
                ('bounces', models.PositiveSmallIntegerField(verbose_name='soft bounces in a row')),
                ('days', models.PositiveSmallIntegerField(verbose_name='within days')),
                ('reasons', models.JSONField(default=list, verbose_name='reasons')),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='changed')),
                ('applied_at', models.DateTimeField(blank=True, null=True, verbose_name='applied')),
                ('changed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'block rule',
                'verbose_name_plural': 'block rules',
            },
        ),
        migrations.CreateModel(
            name='OutageRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_on', models.BooleanField(default=True, verbose_name='on')),
                ('addresses', models.PositiveIntegerField(verbose_name='addresses')),
                ('hours', models.PositiveSmallIntegerField(verbose_name='within hours')),
                ('share', models.PositiveSmallIntegerField(verbose_name='share that took mail lately, per cent')),
                ('alive_days', models.PositiveSmallIntegerField(verbose_name='lately, in days')),
                ('times', models.PositiveSmallIntegerField(verbose_name='times as many as in an ordinary week')),
                ('rate', models.PositiveSmallIntegerField(verbose_name='of all that was sent there, per cent')),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='changed')),
                ('changed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'outage rule',
                'verbose_name_plural': 'outage rules',
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop, elidable=False),
    ]
