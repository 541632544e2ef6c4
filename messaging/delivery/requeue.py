"""Messages that did not leave after all: their attempt is taken back. Where we are refused, whomever we write to, their
send-out is paused, and says why: better than a send-out full of bounces that are nobody's.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.sql import array, columns
from messaging.delivery import sql
from messaging.delivery.away import PAUSES
from messaging.delivery.transport import DeliveryOutcome, Held, Transport
from messaging.ledger.sql import LOCK_MESSAGES
from messaging.models import SendOut
from messaging.sendouts import lifecycle
from messaging.sendouts.models import State
from messaging.status.order import Event, Kind

log = logging.getLogger(__name__)

# What was refused for our sake is tried again so much later at the earliest, once its send-out goes on.
REFUSED_FOR: Final = timedelta(minutes=1)


def refused_singles(held: Sequence[Held], way: Transport) -> list[DeliveryOutcome]:
    """A test to oneself, or a message sent again, has no send-out that could be paused: it tells of the refusal."""
    return [
        DeliveryOutcome(
            Event(
                way.slug, Kind.SOFT_BOUNCE, timezone.now(), each.message.idempotency_key, each.message.id,
                reason="sender_rejected", diagnostic=each.refusal, said_by=way.slug,
            )
        )
        for each in held
        if each.refusal and each.message.is_single
    ]  # fmt: skip


def take_back(held: Sequence[Held], way: Transport) -> None:
    """Let them wait, each until its time, and pause the send-outs of those that were refused for our sake.

    Where it was the way out that refused us, they go on once it does so no more (absence.py).
    """
    waiting = [each for each in held if not (each.refusal and each.message.is_single)]
    if not waiting:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK_MESSAGES, [array({each.message.id for each in waiting})])
        cursor.execute(
            sql.TAKE_BACK, columns((each.message.id, each.message.attempt, _until(each)) for each in waiting)
        )
    refused = {each.message.send_out.id: each for each in waiting if _why_paused(each)}
    for send_out_id, each in refused.items():
        _pause(send_out_id, _why_paused(each), way.slug if each.away else "")


def _why_paused(held: Held) -> str:
    """Empty where its send-out is not; a single message's is only that of its content."""
    if held.message.is_single:
        return ""
    return held.away.words if held.away and held.away.cause in PAUSES else held.refusal


def _until(held: Held) -> datetime | None:
    """What is on the list stays there; what came with its batch goes back to it."""
    if held.until is None and held.message.is_planned:
        return timezone.now() + (REFUSED_FOR if held.refusal else timedelta())
    return held.until


def _pause(send_out_id: int, refusal: str, waits_for: str) -> None:
    log.error("Nothing leaves any more: %s Send-out %d is paused.", refusal, send_out_id)
    if SendOut.objects.filter(pk=send_out_id, state=State.SENDING).exists():
        try:
            lifecycle.pause(send_out_id, None, detail=_("Nothing can leave: %s") % refusal, waits_for=waits_for)
        except lifecycle.WrongStateError:  # somebody was faster
            return
