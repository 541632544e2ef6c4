"""Handing over what waits, batch by batch, and trying again what was put off. docs/contributors.md, A send-out's life.

In doubt nobody gets a second copy: a message is marked in a transaction of its own before it leaves. A worker that
dies in between leaves it marked; it then shows Unknown, and says why, until its provider reports.
"""

import gc
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import uuid4

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Channel
from contacts.sql import array, columns, numbers
from messaging.bounces.reasons import OUTCOME_UNKNOWN
from messaging.delivery import absence, requeue, sql, transport_factory
from messaging.delivery.absence import Watched
from messaging.delivery.answers import next_attempt
from messaging.delivery.heartbeat import SILENT_AFTER, beating
from messaging.delivery.patience import insist
from messaging.delivery.transport import DeliveryOutcome, Held, Ready, Transport, idempotency_key
from messaging.ledger.record import OURSELVES, SourcedEvent
from messaging.ledger.sql import LOCK_MESSAGES
from messaging.models import Batch, Content, SendOut
from messaging.sendouts import restored
from messaging.sendouts.contents import Person
from messaging.sendouts.models import State
from messaging.status.order import GIVES_UP_AFTER, Caveat, Event, Kind, hex_key_of, key_of
from messaging.suppression.follow import apply

log = logging.getLogger(__name__)

# A task hands over for so long, then makes room for others: reports must not wait for a large send-out.
TURN_SECONDS: Final = 2.0
# So many that are due are tried in one task, and then the next one goes on.
AT_ONCE: Final = 500
NOT_SENT: Final = "suppressed"


class Loaded(NamedTuple):
    """A message to hand over. (The columns of sql.LOAD, in order.)"""

    id: int
    attempt: int
    first_second: float
    send_out_id: int
    content_id: int
    address: str
    is_blocked: bool
    is_opted_out: bool
    first_name: str | None
    last_name: str | None
    email: str | None
    mobile: str | None
    country: str | None
    language: str | None
    is_on_list: bool
    is_single: bool
    is_deleted: bool

    @property
    def first_at(self) -> datetime:
        """When it was first tried."""
        return datetime.fromtimestamp(self.first_second, UTC)


def hand_over(send_out_id: int, seconds: float = TURN_SECONDS) -> bool:
    """Hand over messages of a send-out, for about so long. Returns whether there are more.

    Safe with any number of workers at once; ends within a slice when the send-out is paused or cancelled.
    """
    channel = SendOut.objects.values_list("channel", flat=True).filter(pk=send_out_id).first()
    way = transport_factory.way_of(channel) if channel else None
    if way is None:
        return False
    with way, _uncollected():
        return hand_over_by(way, send_out_id, seconds)


@contextmanager
def _uncollected() -> Iterator[None]:
    """The collector of what refers to itself in circles rests meanwhile.

    A slice makes thousands of objects, which bring it out again and again, and none of them is in a circle: they go as
    soon as nobody refers to them. What else there may be waits for the end of the turn.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
    _execute(sql.FORGET, [])
    done = 0
    while done < limit:
        marked = _mark_again(way, mark)
        if not marked:
            break
        doubtful = _without_outcome(marked)
        _leave_outcome_unknown(doubtful, Kind.TAKEN)
        if sure := sorted(marked.keys() - doubtful):
            of: Any = {"ids": numbers(sure), "silent": SILENT_AFTER}
            attempts = {pk: marked[pk][0] + 1 for pk in sure}
            _send(attempts, watched, partial(_execute, sql.BEAT_AGAIN, of), timezone.now())
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
    claimed = _claimed(sql.CLAIM_PAUSED, {**turn, "send_out": send_out_id, "slug": way.slug})
    if claimed is None:
        # Somebody else is asking; or what is left of it is on the list of what is tried again.
        if not Batch.objects.filter(send_out=send_out_id, done_at=None).exists():
            way.come_back()
        return
    batch_id, first, last = claimed
    _settle_unknown_outcomes(send_out_id, first, last)
    batch = {**turn, "batch": batch_id}
    of = {**turn, "send_out": send_out_id, "first": first, "last": last, "provider": way.slug, "limit": 1}
    try:
        if marked := _mark(of, batch):
            _send(dict.fromkeys(marked, 1), way, partial(_execute, sql.BEAT_BATCH, batch))
            way.learn()
        else:
            _execute(sql.END_BATCH, batch)
    finally:
        insist(lambda: _execute(sql.RELEASE_BATCH, batch))


def _mark_again(way: Transport, mark: int) -> dict[int, tuple[int, str]]:
    """Messages to try now, each with the number of its attempt before, and the slug of the way that one went."""
    of: Any = {
        "provider": way.slug, "channel": way.channel, "limit": way.slice, "silent": SILENT_AFTER, "mark": mark
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql.MARK_AGAIN, of)
        return {pk: (attempt, slug) for pk, attempt, slug in cursor.fetchall()}


def _without_outcome(marked: Mapping[int, tuple[int, str]]) -> set[int]:
    """Messages whose last attempt a worker began, and never recorded: only one that was put off comes here again."""
    begun = [
        (pk, key_of(Event(slug, Kind.DEFERRED, timezone.now(), idempotency_key(pk, attempt))))
        for pk, (attempt, slug) in marked.items()
        if attempt
    ]
    if not begun:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(sql.WITH_EVENT, columns(begun))
        return {pk for pk, _key in begun} - {pk for (pk,) in cursor.fetchall()}


def _hand_over_batch(send_out_id: int, way: Watched, turn: Mapping[str, Any], is_over: Callable[[], bool]) -> bool:
    """Whether to go on with the next. It is handed over to its end, or let go once `is_over` or the way out is away."""
    claimed = _claimed(sql.CLAIM_BATCH, {**turn, "send_out": send_out_id})
    if claimed is None:
        return False
    batch_id, first, last = claimed
    _settle_unknown_outcomes(send_out_id, first, last)
    batch = {**turn, "batch": batch_id}
    of = {**turn, "send_out": send_out_id, "first": first, "last": last, "provider": way.slug}
    try:
        while _execute(sql.HOLD_BATCH, batch):
            marked = _mark(of | {"limit": way.slice}, batch)
            if not marked:
                _execute(sql.END_BATCH, batch)
                return True
            _send(dict.fromkeys(marked, 1), way, partial(_execute, sql.BEAT_BATCH, batch))
            way.learn()
            if way.is_away:
                return False
            if is_over():
                break
        else:
            return False
    finally:
        # Once it is there again; nothing of it is in hand.
        insist(lambda: _execute(sql.RELEASE_BATCH, batch))
    return True


def _claimed(statement: str, parameters: Any) -> tuple[int, int, int] | None:
    """A batch, and its first and last message."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: tuple[int, int, int] | None = cursor.fetchone()
    return found


def _mark(of: Mapping[str, Any], batch: Mapping[str, Any]) -> list[int]:
    """Messages to hand over now. Where the line breaks meanwhile, none of them is, and none stays marked."""
    try:
        return _ids(sql.MARK, of)
    except (OperationalError, InterfaceError):
        insist(lambda: _execute(sql.UNMARK, batch))
        raise


def _send(
    attempts: Mapping[int, int], way: Transport, tell: Callable[[], object], unsent_until: datetime | None = None
) -> None:
    """Hand over messages that were marked, each with the number of this attempt, and record what became of each.

    Meanwhile `tell` says from time to time that we live. Where PostgreSQL goes away before anything has left, they wait
    until `unsent_until`.
    """
    with beating(tell):
        try:
            loaded, outcomes, ready = _prepared(sorted(attempts), way)
        except (OperationalError, InterfaceError):
            rows = [(pk, attempt, unsent_until) for pk, attempt in attempts.items()]
            insist(lambda: _execute(sql.TAKE_BACK, columns(rows)))
            raise
        held = list[Held]()
        for found in way.send_all(ready):
            if isinstance(found, Held):
                held.append(found)
            else:
                outcomes.append(found)
        outcomes += requeue.refused_singles(held, way)
    # What has left is told, however long it takes: else it would be in doubt for ever.
    insist(lambda: _record(outcomes, loaded, way))
    insist(lambda: requeue.take_back(held, way))


def _prepared(marked: Sequence[int], way: Transport) -> tuple[dict[int, Loaded], list[DeliveryOutcome], list[Ready]]:
    """What is known of them, and which may leave; of those that may not, what is said of them."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LOAD, [numbers(marked)])
        loaded = [Loaded(*row) for row in cursor.fetchall()]
    send_outs = SendOut.objects.in_bulk({each.send_out_id for each in loaded})
    outcomes, ready = list[DeliveryOutcome](), list[Ready]()
    for each in loaded:
        refusal = _why_not(each, send_outs[each.send_out_id])
        if refusal is not None:
            outcomes.append(DeliveryOutcome(refusal))
        else:
            ready.append(_ready(each, send_outs[each.send_out_id]))
    _set_parts(ready, way)
    return {each.id: each for each in loaded}, outcomes, ready


def _set_parts(ready: Sequence[Ready], way: Transport) -> None:
    long = [(each.id, parts) for each in ready if (parts := way.parts_of(each)) != 1]
    if long:
        _execute(sql.SET_PARTS, columns(long))


def _record(outcomes: Sequence[DeliveryOutcome], by_id: dict[int, Loaded], way: Transport) -> None:
    """The events, what the provider calls the messages, and when to try again what was put off: one transaction."""
    plans = [(each.event, _again(each, by_id, way)) for each in outcomes]
    # Of a first attempt that has an outcome, nothing is on the list.
    needed = [
        (event.message_id, at, hex_key_of(event))
        for event, at in plans
        if event.message_id is not None and (at or by_id[event.message_id].is_on_list)
    ]
    named = [each for each in outcomes if each.ids]
    with transaction.atomic():
        if named or needed:
            # What is not raised by its event is locked here, in the order in which everybody does.
            _execute(LOCK_MESSAGES, [array(by_id)])
        if named:
            _name(named)
        apply([SourcedEvent(event) for each in outcomes for event in (each.event, *each.consent_changes)])
        if needed:
            _execute(sql.PLAN, columns(needed))


def _name(outcomes: Sequence[DeliveryOutcome]) -> None:
    """By the provider's ids its reports find the messages: the first is the message's own, further ones its parts'."""
    _execute(sql.NAME, columns((each.event.message_id, each.ids[0]) for each in outcomes))
    further = [(each.event.message_id, each.event.provider, name) for each in outcomes for name in each.ids[1:]]
    if further:
        _execute(sql.NAME_PARTS, columns(further))


def _again(outcome: DeliveryOutcome, by_id: dict[int, Loaded], way: Transport) -> datetime | None:
    event = outcome.event
    if event.kind != Kind.DEFERRED or event.message_id is None:
        return None
    of = by_id[event.message_id]
    return next_attempt(of.attempt, of.first_at, event.occurred_at, GIVES_UP_AFTER[way.channel], way.schedule)


def _why_not(each: Loaded, send_out: SendOut) -> Event | None:
    """What is said of a message that may not be sent any more."""
    if each.is_blocked:
        why = _("Not sent: the address was blocked before its turn came.")
    elif each.is_opted_out and not send_out.is_transactional:
        why = _("Not sent: the person unsubscribed before its turn came.")
    elif each.is_deleted:
        # Nobody knows any more whether they wanted it.
        why = _("Not sent: the contact was deleted before its turn came.")
    else:
        return None
    return Event(
        OURSELVES, Kind.SOFT_BOUNCE, timezone.now(), f"{each.id} not sent", each.id,
        reason=NOT_SENT, diagnostic=why, said_by=OURSELVES,
    )  # fmt: skip


def _ready(each: Loaded, send_out: SendOut) -> Ready:
    is_email = send_out.channel == Channel.EMAIL
    person = Person(
        each.first_name or "", each.last_name or "", each.email or (each.address if is_email else ""),
        each.mobile or ("" if is_email else each.address), each.country or "", each.language or "",
    )  # fmt: skip
    content = _content(each.content_id)
    return Ready(
        each.id, each.attempt, each.address, send_out, content, person, each.is_on_list, each.is_single, each.first_at
    )


_CONTENTS: Final[dict[int, Content]] = {}


def _content(content_id: int) -> Content:
    """Contents never change."""
    if content_id not in _CONTENTS:
        if len(_CONTENTS) > 50:
            _CONTENTS.clear()
        _CONTENTS[content_id] = Content.objects.get(pk=content_id)
    return _CONTENTS[content_id]


def _settle_unknown_outcomes(send_out_id: int, first: int, last: int) -> None:
    """What a worker before us marked, and told nothing about."""
    _leave_outcome_unknown(_ids(sql.UNKNOWN_OUTCOMES, [send_out_id, first, last]))


def _leave_outcome_unknown(doubtful: Collection[int], accepted: Kind = Kind.ACCEPTED) -> None:
    """They may have left, so they are not sent again; what becomes of them is the provider's to say."""
    if not doubtful:
        return
    log.warning("A worker died with %d messages in hand.", len(doubtful))
    now = timezone.now()
    with transaction.atomic():
        apply([
            SourcedEvent(Event(
                OURSELVES, accepted, now, f"{pk} in doubt", pk, reason=OUTCOME_UNKNOWN, caveat=Caveat.OUTCOME_UNKNOWN
            ))
            for pk in doubtful
        ])  # fmt: skip
        _execute(sql.PLAN, columns((pk, None, None) for pk in doubtful))


def _ids(statement: str, parameters: Any) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return sorted(pk for (pk,) in cursor.fetchall())


def _execute(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> int:
    """How many rows it was about."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
