"""Consents, a record each, at addresses; and the addresses that contacts had before."""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0010_folded_search'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # The tables that are referred to are locked for a moment.
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('accepts', models.BooleanField(verbose_name='accepts')),
                ('at', models.DateTimeField(verbose_name='given')),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='recorded')),
                ('source', models.CharField(choices=[('link', 'The unsubscribe link'), ('one_click', 'The mail program’s unsubscribe button'), ('undo', 'Undone by the link'), ('complaint', 'Marked as spam'), ('answer', 'An answer by SMS'), ('provider', 'Reported by the provider'), ('form', 'A form'), ('import', 'An import'), ('api', 'The API'), ('administrator', 'Noted by a colleague'), ('migration', 'Known before consents were kept one by one')], max_length=13, verbose_name='by')),
                ('wording', models.TextField(blank=True, db_default='', verbose_name='in these words')),
                ('message_id', models.BigIntegerField(blank=True, null=True, verbose_name='message')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('actor', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('address', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='consents', to='contacts.address')),
                ('via', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='contacts.address')),
            ],
            options={
                'verbose_name': 'consent',
                'verbose_name_plural': 'consents',
                'indexes': [models.Index(models.F('address'), models.OrderBy(models.F('at'), descending=True), models.F('accepts'), name='consent_of_address')],
                'constraints': [models.UniqueConstraint(fields=('address', 'key'), name='consent_once')],
            },
        ),
        migrations.CreateModel(
            name='FormerAddress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='contacts.address')),
                ('contact', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='former_addresses', to='contacts.contact')),
            ],
            options={
                'verbose_name': 'former address',
                'verbose_name_plural': 'former addresses',
                'constraints': [models.UniqueConstraint(fields=('address', 'contact'), name='former_address_once')],
            },
        ),
    ]
