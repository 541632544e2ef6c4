"""Blocks learn their receiving domain, and may be held for review as those of a suspected outage."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='block',
            options={'permissions': [('set_block_rules', 'Can change the rules that block addresses, and decide on held blocks')], 'verbose_name': 'block', 'verbose_name_plural': 'blocks'},
        ),
        migrations.AddField(
            model_name='block',
            name='alive_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last took a message'),
        ),
        migrations.AddField(
            model_name='block',
            name='domain',
            field=models.CharField(blank=True, db_default='', editable=False, max_length=255, verbose_name='domain'),
        ),
        migrations.AddField(
            model_name='block',
            name='held_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='held for review'),
        ),
        migrations.AlterField(
            model_name='block',
            name='cause',
            field=models.CharField(choices=[('one_hard_bounce', 'One hard bounce'), ('soft_bounces', 'Soft bounces in a row'), ('imported', 'Imported')], help_text='The rule that blocked the address', max_length=40, verbose_name='cause'),
        ),
        migrations.AlterField(
            model_name='change',
            name='kind',
            field=models.CharField(choices=[('created', 'Created'), ('edited', 'Edited'), ('blocked', 'Address blocked'), ('held', 'Hard bounce held for review'), ('lifted', 'Block removed'), ('opted_out', 'Unsubscribed'), ('opted_in', 'Subscribed')], max_length=12, verbose_name='what'),
        ),
        migrations.CreateModel(
            name='Outage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.CharField(max_length=255, verbose_name='domain')),
                ('from_at', models.DateTimeField(verbose_name='from')),
                ('until_at', models.DateTimeField(verbose_name='until')),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='found')),
                ('verdict', models.CharField(blank=True, choices=[('kept', 'Blocks kept'), ('dropped', 'Blocks dropped')], db_default='', max_length=7, verbose_name='decision')),
                ('decided_at', models.DateTimeField(blank=True, null=True, verbose_name='decided')),
                ('why', models.TextField(blank=True, db_default='', verbose_name='why')),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'suspected outage',
                'verbose_name_plural': 'suspected outages',
            },
        ),
        migrations.AddField(
            model_name='block',
            name='outage',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='blocks', to='contacts.outage'),
        ),
        migrations.AddIndex(
            model_name='outage',
            index=models.Index(models.F('domain'), models.F('until_at'), name='outage_of_domain'),
        ),
        migrations.AddConstraint(
            model_name='outage',
            constraint=models.UniqueConstraint(condition=models.Q(('decided_at', None)), fields=('domain',), name='one_undecided_outage'),
        ),
    ]
