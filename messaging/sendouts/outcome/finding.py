"""Where the messages with a status or a reason are: a list of the few that failed need not read all that did not.

In a large send-out a message is found by what was counted last; what changed in the seconds since comes a little later.
"""

from typing import Any, Final

from django.db import connection
from django.db.models import Q, QuerySet

from engage.keyset import SIZE
from messaging.models import Message, SendOut
from messaging.sendouts.outcome import sql
from messaging.sendouts.outcome.exporting import messages_of
from messaging.sendouts.outcome.models import STRETCH, Outcome, Stretch

# A send-out of fewer stretches is read from end to end.
FEW: Final = 16
# With more stretches to look into than these, one can as well read all of it.
MOST: Final = 64
GAVE_UP: Final = "gave_up"
NO_REASON: Final = "none"


def shown_by(send_out: SendOut, status: str, reason: str, before: str) -> "QuerySet[Message, Any]":
    """The messages of a send-out that show a status, for a reason if one is given; at least a page, below `before`."""
    chosen = messages_of(send_out).filter(status=status)
    if reason:
        chosen = chosen.filter(**_conditions(reason))
    slug = "" if reason == NO_REASON else reason
    ranges = _ranges(send_out.pk, f"reason/{status}/{slug}" if reason else f"status/{status}", before)
    return chosen if ranges is None else chosen.filter(ranges)


def _conditions(reason: str) -> dict[str, str]:
    """The words of sql.COUNT_STRETCHES for reasons, as conditions."""
    if reason == GAVE_UP:
        return {"reason": "expired", "code": ""}
    return {"reason": "" if reason == NO_REASON else reason}


def _ranges(send_out_id: int, key: str, before: str) -> Q | None:
    """None where looking at everything is no worse, or nobody has counted yet."""
    known = Outcome.objects.filter(pk=send_out_id).values_list("rows_until", flat=True).first()
    if known is None or Stretch.objects.filter(send_out=send_out_id).count() < FEW:
        return None
    is_number = before.isascii() and before.isdigit() and len(before) < 19
    last = int(before) // STRETCH if is_number else known // STRETCH
    with connection.cursor() as cursor:
        cursor.execute(
            sql.WHERE_ARE,
            {"send_out": send_out_id, "key": key, "last": last, "enough": SIZE + 1, "most": MOST + 1},
        )
        numbers = [number for (number,) in cursor.fetchall()]
    if len(numbers) > MOST:
        return None
    # What was made since the last look is in no stretch yet.
    found = Q(pk__gt=known)
    for number in numbers:
        found |= Q(pk__gte=number * STRETCH, pk__lt=(number + 1) * STRETCH)
    return found
