"""The rows of a send-out's messages, made set-based, chunk by chunk, in the order of the contacts' numbers.

A chunk is one transaction: its rows, who is left out, its batch, its totals and how far it is. So a crash anywhere
leaves whole chunks, and who goes on begins behind the last one; no contact gets two rows.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from django.db.models.functions import Now

from engage.wake import wake
from messaging.sendouts import sql
from messaging.sendouts.audience import Parameters
from messaging.sendouts.control_group import master_of
from messaging.sendouts.models import Progress
from messaging.sendouts.recipient_resolution import judged, rules_of

log = logging.getLogger(__name__)

CHUNK: Final = 5_000
# A batch for hand-over is no larger, so that several workers have something to do soon.
BATCH: Final = 2_000
# After so long a worker leaves room for other tasks, and is woken anew.
SECONDS_IN_A_ROW: Final = 10.0


@dataclass(frozen=True, slots=True)
class RowsRecipe:
    """The statement for each chunk of a send-out, and its values. Nothing of it changes once the send-out started."""

    send_out: int
    text: str
    values: dict[str, Any]


def make_rows(send_out_id: int, chunk: int = CHUNK) -> bool:
    """Make rows while the send-out is sending and has contacts left. Returns whether there is more to do.

    Pause and cancel take effect at the next chunk. Harmless twice, and at once: one makes rows, the others return.
    """
    deadline = time.monotonic() + SECONDS_IN_A_ROW
    recipe = recipe_of(send_out_id)
    while make_chunk(recipe, chunk):
        if time.monotonic() > deadline:
            return True
    return False


def recipe_of(send_out_id: int) -> RowsRecipe:
    """Of a send-out that was started. Raises Progress.DoesNotExist of any other."""
    progress = Progress.objects.select_related("send_out").get(pk=send_out_id)
    send_out, put = progress.send_out, Parameters(of_few=True)
    rules = rules_of(send_out, master_of(progress.master))
    text = judged(rules, put, "c.id > %(after)s AND c.id <= %(end)s", is_chunk=True)
    values = {"send_out": send_out_id, "channel": send_out.channel, "content": send_out.content_id, "batch": BATCH}
    return RowsRecipe(send_out_id, sql.MAKE_ROWS.format(judged=text), put.values | values)


def make_chunk(recipe: RowsRecipe, chunk: int = CHUNK) -> bool:
    """The next `chunk` contacts, in one transaction. Returns False where there was nothing to do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.CLAIM_PROGRESS, [chunk, recipe.send_out])
        claimed = cursor.fetchone()
        if claimed is None:
            return False
        after, end, _setting = claimed
        if end is None:
            Progress.objects.filter(pk=recipe.send_out).update(rows_done_at=Now())
            return False
        cursor.execute(recipe.text, recipe.values | {"after": after, "end": end})
        return True


def wake_worker(send_out_id: int) -> None:
    """Have a worker make rows soon. Without a broker the beat finds the work; nothing is lost."""
    wake("messaging.tasks.make_rows", send_out_id)
