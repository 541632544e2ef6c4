"""The open blocks, the alive ones and those of a removal are found without looking through all blocks."""

import django.contrib.postgres.operations
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("contacts", "0002_block_list")]

    operations = [
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.OrderBy(models.F('id'), descending=True), condition=models.Q(('ended_at', None)), name='block_open'),
        ),
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.OrderBy(models.F('id'), descending=True), condition=models.Q(('alive_at__isnull', False), ('ended_at', None)), name='block_alive'),
        ),
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.F('id'), condition=models.Q(('ended_at', None), ('is_life_sought', False)), name='block_unsought'),
        ),
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.F('bulk_lift'), models.F('id'), condition=models.Q(('bulk_lift__isnull', False)), name='block_of_bulk_lift'),
        ),
    ]
