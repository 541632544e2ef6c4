"""Handing over what waits, batch by batch, and trying again what was put off. docs/contributors.md, A send-out's life.

In doubt nobody gets a second copy: a message is marked in a transaction of its own before it leaves. A worker that
dies in between leaves it marked; it then shows Unknown, and says why, until its provider reports.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from contacts.models import Channel
from contacts.sql import columns, numbers
from messaging.delivery import absence, requeue, sql, transport_factory
from messaging.delivery.absence import Watched
from messaging.delivery.claims import claim, mark_again, mark_messages, settle_unknown_outcomes, without_outcome
from messaging.delivery.collector import uncollected
from messaging.delivery.heartbeat import SILENT_AFTER, beating
from messaging.delivery.patience import insist
from messaging.delivery.preparation import prepare
from messaging.delivery.recording import leave_outcome_unknown, record
from messaging.delivery.statements import execute
from messaging.delivery.transport import Held, Transport
from messaging.models import Batch, SendOut
from messaging.sendouts import restored
from messaging.sendouts.models import State
from messaging.status.order import Kind

log = logging.getLogger(__name__)

# A task hands over for so long, then makes room for others: reports must not wait for a large send-out.
TURN_SECONDS: Final = 2.0
# So many that are due are tried in one task, and then the next one goes on.
AT_ONCE: Final = 500


def hand_over(send_out_id: int, seconds: float = TURN_SECONDS) -> bool:
    """Hand over messages of a send-out, for about so long. Returns whether there are more.

    Safe with any number of workers at once; ends within a slice when the send-out is paused or cancelled.
    """
    channel = SendOut.objects.values_list("channel", flat=True).filter(pk=send_out_id).first()
    way = transport_factory.way_of(channel) if channel else None
    if way is None:
        return False
    with way, uncollected():
        return hand_over_by(way, send_out_id, seconds)


def hand_over_by(
    way: Transport, send_out_id: int, seconds: float = TURN_SECONDS, goes_on: Callable[[], bool] = lambda: True
) -> bool:
    """Hand over by a transport that is open already, one for the channel of the send-out; while `goes_on`.

    Where the way out is away, what is left waits for the beat (try_again).
    """
    watched = Watched(way)
    return watched.may_try and _hand_over_while(watched, send_out_id, seconds, goes_on)


def _hand_over_while(
    way: Watched, send_out_id: int, seconds: float, goes_on: Callable[[], bool] = lambda: True
) -> bool:
    until = time.monotonic() + seconds

    def is_over() -> bool:
        return time.monotonic() >= until or not goes_on()

    mark = restored.advance()
    if mark is None:
        return False
    turn = _turn(mark)
    while _hand_over_batch(send_out_id, way, turn, is_over):
        if is_over():
            restored.advance()
            return True
    restored.advance()
    return False


def _turn(mark: int) -> dict[str, Any]:
    return {"turn": uuid4(), "mark": mark, "silent": SILENT_AFTER}


def waiting(channel: str | None = None) -> list[int]:
    """The send-outs that have something to hand over."""
    found = Batch.objects.filter(send_out__state=State.SENDING, done_at=None)
    of_channel = found.filter(send_out__channel=channel) if channel else found
    return sorted(of_channel.values_list("send_out", flat=True).distinct())


def try_again(limit: int = AT_ONCE) -> int:
    """Try what was put off and is due, single messages, and what waits for a way out that was away.

    Returns how many were tried.
    """
    done = 0
    for way in filter(None, map(transport_factory.way_of, Channel)):
        with way:
            done += try_again_by(way, limit)
    absence.end_needless()
    return done


def try_again_by(way: Transport, limit: int = AT_ONCE, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Try again by a transport that is open already, while `goes_on`."""
    mark = restored.advance()
    if mark is None:
        return 0
    watched = Watched(way)
    if watched.was_away and not _is_back(watched, mark):
        return 0
    execute(sql.FORGET, [])
    done = 0
    while done < limit:
        marked = mark_again(way, mark)
        if not marked:
            break
        doubtful = without_outcome(marked)
        leave_outcome_unknown(doubtful, Kind.TAKEN)
        if sure := sorted(marked.keys() - doubtful):
            of: Any = {"ids": numbers(sure), "silent": SILENT_AFTER}
            attempts = {pk: marked[pk][0] + 1 for pk in sure}
            _send(attempts, watched, partial(execute, sql.BEAT_AGAIN, of), timezone.now())
            watched.learn()
        done += len(marked)
        if watched.is_away or not goes_on():
            break
    return done


def _is_back(way: Watched, mark: int) -> bool:
    """Whether a way out that was away may be used: found out by what waits for it, a slice or one message at most."""
    if not way.may_try:
        return False
    for send_out_id in waiting(way.channel):
        if way.was_away and not way.is_away:
            _hand_over_while(way, send_out_id, 0)
    for send_out_id in absence.paused_for(way.slug):
        if way.was_away and not way.is_away:
            _try_one(way, send_out_id, _turn(mark))
    return not way.is_away


def _try_one(way: Watched, send_out_id: int, turn: Mapping[str, Any]) -> None:
    """Whether we are still refused: one message of a send-out asks, which Engage itself has paused for that."""
    claimed = claim(sql.CLAIM_PAUSED, {**turn, "send_out": send_out_id, "slug": way.slug})
    if claimed is None:
        # Somebody else is asking; or what is left of it is on the list of what is tried again.
        if not Batch.objects.filter(send_out=send_out_id, done_at=None).exists():
            way.come_back()
        return
    batch_id, first, last = claimed
    settle_unknown_outcomes(send_out_id, first, last)
    batch = {**turn, "batch": batch_id}
    of = {**turn, "send_out": send_out_id, "first": first, "last": last, "provider": way.slug, "limit": 1}
    try:
        if marked := mark_messages(of, batch):
            _send(dict.fromkeys(marked, 1), way, partial(execute, sql.BEAT_BATCH, batch))
            way.learn()
        else:
            execute(sql.END_BATCH, batch)
    finally:
        insist(lambda: execute(sql.RELEASE_BATCH, batch))


def _hand_over_batch(send_out_id: int, way: Watched, turn: Mapping[str, Any], is_over: Callable[[], bool]) -> bool:
    """Whether to go on with the next. It is handed over to its end, or let go once `is_over` or the way out is away."""
    claimed = claim(sql.CLAIM_BATCH, {**turn, "send_out": send_out_id})
    if claimed is None:
        return False
    batch_id, first, last = claimed
    settle_unknown_outcomes(send_out_id, first, last)
    batch = {**turn, "batch": batch_id}
    of = {**turn, "send_out": send_out_id, "first": first, "last": last, "provider": way.slug}
    try:
        while execute(sql.HOLD_BATCH, batch):
            marked = mark_messages(of | {"limit": way.slice}, batch)
            if not marked:
                execute(sql.END_BATCH, batch)
                return True
            _send(dict.fromkeys(marked, 1), way, partial(execute, sql.BEAT_BATCH, batch))
            way.learn()
            if way.is_away:
                return False
            if is_over():
                break
        else:
            return False
    finally:
        # Once it is there again; nothing of it is in hand.
        insist(lambda: execute(sql.RELEASE_BATCH, batch))
    return True


def _send(
    attempts: Mapping[int, int], way: Transport, tell: Callable[[], object], unsent_until: datetime | None = None
) -> None:
    """Hand over messages that were marked, each with the number of this attempt, and record what became of each.

    Meanwhile `tell` says from time to time that we live. Where PostgreSQL goes away before anything has left, they wait
    until `unsent_until`.
    """
    with beating(tell):
        try:
            loaded, outcomes, ready = prepare(sorted(attempts), way)
        except (OperationalError, InterfaceError):
            rows = [(pk, attempt, unsent_until) for pk, attempt in attempts.items()]
            insist(lambda: execute(sql.TAKE_BACK, columns(rows)))
            raise
        held = list[Held]()
        for found in way.send_all(ready):
            if isinstance(found, Held):
                held.append(found)
            else:
                outcomes.append(found)
        outcomes += requeue.refused_singles(held, way)
    # What has left is recorded, however long it takes: else it would be in doubt for ever.
    insist(lambda: record(outcomes, loaded, way))
    insist(lambda: requeue.take_back(held, way))
