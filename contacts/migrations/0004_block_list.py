"""What is done to many blocks at once, and what shows that a blocked address is alive."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0003_block_indexes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ImportPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField()),
                ('body', models.BinaryField()),
            ],
            options={
                'verbose_name': 'piece of a block list',
                'verbose_name_plural': 'pieces of block lists',
            },
        ),
        migrations.CreateModel(
            name='ImportRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.BigIntegerField()),
                ('channel', models.CharField(max_length=5)),
                ('value', models.CharField(max_length=320)),
                ('started_at', models.DateTimeField(null=True)),
                ('reason', models.CharField(max_length=40)),
                ('code', models.CharField(max_length=60)),
                ('diagnostic', models.TextField()),
            ],
            options={
                'verbose_name': 'line of a block list',
                'verbose_name_plural': 'lines of block lists',
            },
        ),
        migrations.AlterModelOptions(
            name='block',
            options={'permissions': [('set_block_rules', 'Can change the rules that block addresses, and decide on held blocks'), ('import_block', 'Can import a list of addresses to block'), ('export_block', 'Can export the blocks')], 'verbose_name': 'block', 'verbose_name_plural': 'blocks'},
        ),
        migrations.AddField(
            model_name='block',
            name='is_life_sought',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='block',
            name='last_proof_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='block',
            name='life_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='alive'),
        ),
        migrations.AddField(
            model_name='block',
            name='life_by',
            field=models.CharField(blank=True, choices=[('delivered', 'Took a message'), ('opened', 'Opened a message'), ('clicked', 'Clicked a link'), ('answered', 'Answered, or subscribed again')], db_default='', max_length=9, verbose_name='sign of life'),
        ),
        migrations.AddField(
            model_name='block',
            name='life_is_automatic',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='block',
            name='life_message_id',
            field=models.BigIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='change',
            name='kind',
            field=models.CharField(choices=[('created', 'Created'), ('edited', 'Edited'), ('blocked', 'Address blocked'), ('held', 'Hard bounce held for review'), ('lifted', 'Block removed'), ('put_back', 'Block put back'), ('imported', 'Address blocked by an import'), ('opted_out', 'Unsubscribed'), ('opted_in', 'Subscribed')], max_length=12, verbose_name='what'),
        ),
        migrations.CreateModel(
            name='BlockImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file_name', models.CharField(max_length=200, verbose_name='file')),
                ('size', models.BigIntegerField(verbose_name='bytes')),
                ('state', models.CharField(choices=[('reading', 'Being read'), ('read', 'Read; nothing is blocked yet'), ('unreadable', 'Could not be read'), ('blocking', 'Being blocked'), ('done', 'Done'), ('dropped', 'Dropped')], default='reading', max_length=10, verbose_name='state')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='given')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('error', models.TextField(blank=True, db_default='', verbose_name='error')),
                ('layout', models.JSONField(db_default={}, default=dict)),
                ('lines', models.BigIntegerField(db_default=0, default=0, verbose_name='lines')),
                ('bytes_read', models.BigIntegerField(db_default=0, default=0)),
                ('bad', models.BigIntegerField(db_default=0, default=0, verbose_name='bad lines')),
                ('bad_lines', models.JSONField(db_default=[], default=list)),
                ('repeated', models.BigIntegerField(db_default=0, default=0, verbose_name='repeated lines')),
                ('to_block', models.BigIntegerField(db_default=0, default=0, verbose_name='addresses to block')),
                ('already', models.BigIntegerField(db_default=0, default=0, verbose_name='blocked already')),
                ('lifted_since', models.BigIntegerField(db_default=0, default=0, verbose_name='removed by a person since')),
                ('blocked', models.BigIntegerField(db_default=0, default=0, verbose_name='addresses blocked')),
                ('done_to', models.BigIntegerField(db_default=0, default=0)),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'import of a block list',
                'verbose_name_plural': 'imports of block lists',
            },
        ),
        migrations.CreateModel(
            name='BulkLift',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField(verbose_name='why')),
                ('filters', models.JSONField(verbose_name='which')),
                ('newest', models.BigIntegerField()),
                ('expected', models.BigIntegerField(verbose_name='blocks counted before')),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='started')),
                ('lifted', models.BigIntegerField(db_default=0, default=0, verbose_name='blocks removed')),
                ('done_to', models.BigIntegerField(db_default=0, default=0)),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('undone_at', models.DateTimeField(blank=True, null=True, verbose_name='undone')),
                ('put_back', models.BigIntegerField(db_default=0, default=0, verbose_name='blocks put back')),
                ('undone_to', models.BigIntegerField(db_default=0, default=0)),
                ('undo_finished_at', models.DateTimeField(blank=True, null=True, verbose_name='undoing finished')),
                ('actor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('undone_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'removal of many blocks',
                'verbose_name_plural': 'removals of many blocks',
            },
        ),
        migrations.AddField(
            model_name='block',
            name='bulk_lift',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='blocks', to='contacts.bulklift'),
        ),
        migrations.AddField(
            model_name='importpart',
            name='block_import',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='contacts.blockimport'),
        ),
        migrations.AddField(
            model_name='importrow',
            name='block_import',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='contacts.blockimport'),
        ),
        migrations.AddConstraint(
            model_name='importpart',
            constraint=models.UniqueConstraint(fields=('block_import', 'number'), name='import_part_once'),
        ),
        migrations.AddIndex(
            model_name='importrow',
            index=models.Index(models.F('block_import'), models.F('id'), name='import_row_in_order'),
        ),
        migrations.AddConstraint(
            model_name='importrow',
            constraint=models.UniqueConstraint(fields=('block_import', 'channel', 'value'), name='import_row_once'),
        ),
    ]
