"""The only writer of Message.status: events go in, and messages rise to their new maximum.

Everything is set-based, a handful of statements for any number of events. Rows are written and locked in one order
by every worker: messages by id, events by message and key.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from contacts.models import Channel
from contacts.sql import array, columns
from engage.database import go_by_indexes, prepared
from messaging.ledger import sql
from messaging.ledger.batch import WAITED_FOR, EventBatch
from messaging.ledger.correlation import named
from messaging.status.order import (
    EPOCH,
    MEANING,
    SEVERITY_BITS,
    WHOLE_KEY,
    WHOLE_RANK,
    Caveat,
    Event,
    Kind,
    is_guess,
    key_prefix,
    not_before,
    rank_of,
    status_of,
)
from messaging.tracking.bots import bursts_marked

# By what the database calls them; asking the enumeration takes longer than all else that is done to a row.
CHANNELS: Final = {channel.value: channel for channel in Channel}
# What our own events say: who, and why.
OURSELVES: Final = "engage"
GAVE_UP: Final = "expired"


@dataclass(frozen=True, slots=True)
class SourcedEvent:
    """An event, and the report that it was read from (None for what we found out ourselves)."""

    event: Event
    report_id: int | None = None


class Target(NamedTuple):
    """The message that an event is about."""

    id: int
    channel: Channel
    address_id: int


class NewEvent(NamedTuple):
    """An event that was new, with its message, its repeat-key in hexadecimal, and what its address is blocked by.

    `has_arrived`: it is a hard bounce of an SMS of which something arrived, so it proves nothing about the number.
    """

    event: Event
    key: str
    target: Target
    cause: str | None
    has_arrived: bool


class StoredEvent(NamedTuple):
    """An event as it is stored. (What sql.REVISE_EVENTS returns, in order.)"""

    caveat: str
    key: UUID
    message_id: int
    kind: str
    occurred_at: datetime
    reason: str
    code: str
    diagnostic: str
    certainty: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What a stored event of an email is from now on: a bounce, hard or soft, or a deferral; and its reason."""

    key: UUID
    message_id: int
    kind: Kind
    reason: str
    certainty: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: its events about messages, those that were new and matter for their address, and those
    that match no message of ours."""

    events: Sequence[Event]
    new_events: Sequence[NewEvent]
    unmatched: Sequence[SourcedEvent]


@dataclass(frozen=True, slots=True)
class Revised:
    """What became of revisions: those whose event was there, that event as it is stored now, and its message."""

    revisions: Sequence[Revision]
    events: Mapping[tuple[int, UUID], StoredEvent]
    targets: Mapping[int, Target]


def record(batch: Sequence[SourcedEvent]) -> Recorded:
    """Store the events that are new, and raise their messages.

    Repeats, in here or of what was stored before, change nothing. What follows for addresses and consent is
    messaging.suppression.follow's. Call it in a transaction, and once in it: a second call would take locks out of
    order.
    """
    go_by_indexes()
    events, message_ids = named(bursts_marked([each.event for each in batch]))
    known = EventBatch(zip(events, message_ids, [each.report_id for each in batch], strict=True))
    new_events, missing = _record(known) if known.events else ([], set[int]())
    unknown = {None, *missing}
    unmatched = [each for each, message_id in zip(batch, message_ids, strict=True) if message_id in unknown]
    return Recorded(known.events, new_events, unmatched)


def give_up(now: datetime, limit: int) -> tuple[int, int]:
    """Give up on at most `limit` messages that are due at `now` and still waited for; the others that are due are
    merely taken off the list (see Message). Returns how many were due, and on how many we gave up.

    As events of our own, that keep the last words of the server that put us off: they are what a marketer wants to
    know. The same as `apply` would make of them, at a third of the time. Call it in a transaction.
    """
    channels = list(WAITED_FOR)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.GIVE_UP,
            [
                rank_of(Kind.GAVE_UP, EPOCH), 1 << SEVERITY_BITS, key_prefix(OURSELVES, Kind.GAVE_UP),
                channels, [WAITED_FOR[each] for each in channels], [status_of(Kind.GAVE_UP, each) for each in channels],
                now, limit, OURSELVES, Kind.GAVE_UP, GAVE_UP, GAVE_UP,
            ],
        )  # fmt: skip
        due, late = cursor.fetchone()
        return due, late


def revise(revisions: Sequence[Revision]) -> Revised:
    """Let stored events of emails say something else, and fold their messages anew, as if they had said so from the
    beginning. Call it in a transaction, and once in it."""
    messages = {each.message_id for each in revisions}
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_MESSAGES, [array(messages)])
        cursor.execute(sql.LOCK_EVENTS, columns((each.message_id, each.key) for each in revisions))
        cursor.execute(
            sql.REVISE_EVENTS,
            columns((each.message_id, each.key, each.kind, each.reason, each.certainty) for each in revisions),
        )
        events = {(row.message_id, row.key): row for row in starmap(StoredEvent, cursor.fetchall())}
        cursor.execute(sql.REFOLD, [SEVERITY_BITS, *columns(_places()), array(messages)])
    known = [each for each in revisions if (each.message_id, each.key) in events]
    return Revised(known, events, _targets_by_id(messages))


def prove(message_id: int, key: UUID) -> Revised:
    """Take the caveat from a hard bounce that only named its message. Call it in a transaction, and once in it."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_MESSAGES, [array([message_id])])
        cursor.execute(sql.BELIEVE, [message_id, key])
        events = {(row.message_id, row.key): row for row in starmap(StoredEvent, cursor.fetchall())}
    return Revised([], events, _targets_by_id({pk for pk, _key in events}))


def _places() -> list[tuple[object, ...]]:
    """What an event of an email weighs by kind and caveat, and what it shows as."""
    return [
        (kind, caveat, rank_of(kind, EPOCH, is_guess=is_guess(Channel.EMAIL, kind, caveat)), meaning.email)
        for kind, meaning in MEANING.items()
        for caveat in ("", *Caveat)
    ]


def _targets_by_id(ids: Set[int | None]) -> dict[int, Target]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.MESSAGES_BY_ID, [array(ids)])
        return {target.id: target for target in starmap(_target, cursor.fetchall())}


def _target(pk: int, channel: str, address_id: int) -> Target:
    return Target(pk, CHANNELS[channel], address_id)


def _record(batch: EventBatch) -> tuple[list[NewEvent], Set[int]]:
    """Store what is new and raise its messages. Returns what was new and matters for its address, and the numbers of
    messages that are not there."""
    keys, new_events, missing = list(batch.keys), list[NewEvent](), set[int]()
    with prepared() as cursor:
        cursor.execute(
            sql.RECORD_EVENTS,
            [*batch.arrays(), SEVERITY_BITS, WHOLE_RANK, WHOLE_RANK, WHOLE_RANK, WHOLE_KEY],
        )
        for number, address_id, channel, cause, occurred_at, has_arrived in cursor.fetchall():
            place = number - 1
            message_id = batch.message_ids[place]
            if address_id is None:
                missing.add(message_id)
            else:
                event = not_before(occurred_at, batch.events[place])
                new_events.append(
                    NewEvent(event, keys[place], _target(message_id, channel, address_id), cause, has_arrived)
                )
    return new_events, missing
