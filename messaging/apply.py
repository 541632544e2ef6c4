"""The only writer of Message.status: events go in, messages rise to their new maximum, addresses and consent follow.

Everything is set-based, a handful of statements for any number of events. Rows are written and locked in one order
by every worker: events by key, messages by id, addresses by id, contacts by id.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from contacts.blocks import Ground, Wish, follow_up
from contacts.models import Channel
from contacts.sql import array, columns
from messaging import sql
from messaging.statuses import CONSENTS, GIVES_UP_AFTER, READS, Event, Kind, Status, key_of, rank_of, status_of

# The rule that blocks today; a block names it, so that later rules can be told from it.
ONE_HARD_BOUNCE: Final = "one_hard_bounce"
# While one of these shows, the message is waited for until its time of giving up.
WAITED_FOR: Final = {Channel.EMAIL: Status.DEFERRED, Channel.SMS: Status.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Said:
    """An event, and the report that it was read from (None for what we found out ourselves)."""

    event: Event
    report_id: int | None = None


class Target(NamedTuple):
    """The message that an event is about."""

    id: int
    channel: Channel
    address_id: int


class Matched(NamedTuple):
    """An event that found its message."""

    event: Event
    key: UUID
    target: Target
    report_id: int | None


def apply(said: Sequence[Said]) -> list[Said]:
    """Record these events and let everything follow from them. Returns those that match no message of ours.

    Repeats, in here or of what was recorded before, change nothing. Call it in a transaction, and once in it: a
    second call would take locks out of order.
    """
    matched, unmatched = _match(said)
    fresh = _record(matched) if matched else []
    if fresh:
        _follow_up(fresh)
    return unmatched


def _match(said: Sequence[Said]) -> tuple[list[Matched], list[Said]]:
    by_id = _targets_by_id({each.event.message_id for each in said} - {None})
    by_provider_id = _targets_by_provider_id([each.event for each in said if each.event.message_id is None])
    matched, unmatched = [], []
    for each in said:
        event = each.event
        if event.message_id is None:
            target = by_provider_id.get((event.provider, event.provider_message_id))
        else:
            target = by_id.get(event.message_id)
        if target is None:
            unmatched.append(each)
        else:
            matched.append(Matched(event, key_of(event), target, each.report_id))
    return matched, unmatched


def _targets_by_id(ids: Set[int | None]) -> dict[int, Target]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.MESSAGES_BY_ID, [array(ids)])
        return {pk: Target(pk, Channel(channel), address_id) for pk, channel, address_id in cursor.fetchall()}


def _targets_by_provider_id(events: Sequence[Event]) -> dict[tuple[str, str], Target]:
    wanted = {(event.provider, event.provider_message_id) for event in events if event.provider_message_id}
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.MESSAGES_BY_PROVIDER_ID, columns(wanted))
        return {
            (provider, provider_id): Target(pk, Channel(channel), address_id)
            for provider, provider_id, pk, channel, address_id in cursor.fetchall()
        }


def _record(matched: Sequence[Matched]) -> list[Matched]:
    """Keep what is new and raise its messages. Returns what was new."""
    # The first report of a fact is the one that counts, within a batch as between batches.
    once = {each.key: each for each in reversed(matched)}
    with connection.cursor() as cursor:
        cursor.execute(sql.RECORD_EVENTS, columns(map(_row, once.values())))
        return [once[key] for (key,) in cursor.fetchall()]


def _row(each: Matched) -> tuple[object, ...]:
    """The event, and what it would make of its message if none were greater."""
    event, channel = each.event, each.target.channel
    status = status_of(event.kind, channel)
    waits = GIVES_UP_AFTER[channel] if status == WAITED_FOR[channel] else None
    return (
        each.key, each.target.id, each.report_id, event.provider, event.kind, event.occurred_at, event.reason,
        event.reply_code, event.status_code, event.provider_code, event.diagnostic, event.said_by, event.is_automatic,
        rank_of(event.kind, event.occurred_at), status, event.code, event.kind in READS, waits,
    )  # fmt: skip


def _follow_up(fresh: Sequence[Matched]) -> None:
    grounds = [_ground(each) for each in fresh if each.event.kind == Kind.HARD_BOUNCE]
    wishes = [_wish(each) for each in fresh if each.event.kind in CONSENTS]
    follow_up(grounds, wishes)


def _ground(each: Matched) -> Ground:
    event, target = each.event, each.target
    return Ground(
        target.address_id, event.occurred_at, each.key, target.id, ONE_HARD_BOUNCE,
        event.reason, event.code, event.diagnostic,
    )  # fmt: skip


def _wish(each: Matched) -> Wish:
    event, target = each.event, each.target
    return Wish(
        target.address_id, target.channel, event.occurred_at, target.id, event.kind == Kind.SUBSCRIBED, event.reason
    )
