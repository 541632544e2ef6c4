"""The open blocks, the alive ones and those of a removal are found without looking through all blocks."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("contacts", "0004_block_list")]

    operations = [
        AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.OrderBy(models.F('id'), descending=True), condition=models.Q(('ended_at', None)), name='block_open'),
        ),
        AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.OrderBy(models.F('id'), descending=True), condition=models.Q(('ended_at', None), ('life_at__isnull', False)), name='block_alive'),
        ),
        AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.F('id'), condition=models.Q(('ended_at', None), ('is_life_sought', False)), name='block_unsought'),
        ),
        AddIndexConcurrently(
            model_name='block',
            index=models.Index(models.F('bulk_lift'), models.F('id'), condition=models.Q(('bulk_lift__isnull', False)), name='block_of_bulk_lift'),
        ),
    ]
