"""The only writer of Message.status: events go in, messages rise to their new maximum, addresses and consent follow.

Everything is set-based, a handful of statements for any number of events. Rows are written and locked in one order
by every worker: messages by id, events by message and key, addresses by id, contacts by id.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from contacts.blocks.record import ARRIVED, Engagement, Ground, causes_of, doubt_life, lock, reword, settle, withdraw
from contacts.consent import Wish
from contacts.models import Cause, Channel
from contacts.sql import array, columns
from engage.database import go_by_indexes, prepared
from messaging.ledger import speakers, sql
from messaging.ledger.batch import DECISIVE, FAILURES, SIGNS, WAITED_FOR, Facts
from messaging.ledger.consent_changes import ConsentEvent, answers_of, wishes_of
from messaging.ledger.correlation import named
from messaging.status.order import (
    CONSENTS,
    EPOCH,
    MEANING,
    SEVERITY_BITS,
    UNPROVEN,
    WHOLE_KEY,
    WHOLE_RANK,
    Caveat,
    Event,
    Kind,
    is_guess,
    is_wish,
    key_prefix,
    not_before,
    rank_of,
    status_of,
)
from messaging.suppression import outages, soft_runs
from messaging.suppression.soft_runs import News
from messaging.tracking import bursts
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


class Fresh(NamedTuple):
    """An event that was new, with its message, its repeat-key in hexadecimal, and what its address is blocked by.

    `has_arrived`: it is a hard bounce of an SMS of which something arrived, so it proves nothing about the number.
    """

    event: Event
    key: str
    target: Target
    cause: str | None
    has_arrived: bool


class Recorded(NamedTuple):
    """A recorded event. (What sql.REVISE_EVENTS returns, in order.)"""

    caveat: str
    key: UUID
    message_id: int
    kind: str
    occurred_at: datetime
    reason: str
    code: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class Revised:
    """A recorded event of an email, and what it is now said to be: a bounce, hard or soft, or a deferral."""

    key: UUID
    message_id: int
    kind: Kind
    reason: str


def apply(said: Sequence[SourcedEvent]) -> list[SourcedEvent]:
    """Record these events and let everything follow from them. Returns those that match no message of ours;
    what somebody answered by SMS counts at once for the number all the same.

    Repeats, in here or of what was recorded before, change nothing. Call it in a transaction, and once in it: a
    second call would take locks out of order.
    """
    go_by_indexes()
    events, message_ids = named(bursts_marked([each.event for each in said]))
    facts = Facts(zip(events, message_ids, [each.report_id for each in said], strict=True))
    unknown, fresh, late = set[int | None]([None]), list[Fresh](), list[bursts.Late]()
    if facts.events:
        fresh, missing = _record(facts)
        unknown |= missing
        late = bursts.late(facts.events)
    unmatched = [each for each, message_id in zip(said, message_ids, strict=True) if message_id in unknown]
    _follow_up(fresh, answers_of(each.event for each in unmatched), late)
    bursts.settle(late)
    return unmatched


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


def revise(revised: Sequence[Revised]) -> None:
    """Let recorded events of emails say something else, and everything follow from that: status, blocks, history.

    As if they had said so from the beginning; but what people decided since (a lift, an outage) stands. Call it in a
    transaction, and once in it.
    """
    if not revised:
        return
    messages = {each.message_id for each in revised}
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_MESSAGES, [array(messages)])
        cursor.execute(sql.LOCK_EVENTS, columns((each.message_id, each.key) for each in revised))
        cursor.execute(
            sql.REVISE_EVENTS, columns((each.message_id, each.key, each.kind, each.reason) for each in revised)
        )
        told = {(row.message_id, row.key): row for row in starmap(Recorded, cursor.fetchall())}
        cursor.execute(sql.REFOLD, [SEVERITY_BITS, *columns(_places()), array(messages)])
    known = [each for each in revised if (each.message_id, each.key) in told]
    _follow_revision(known, told, _targets_by_id(messages))


def _places() -> list[tuple[object, ...]]:
    """What an event of an email weighs by kind and caveat, and what it shows as."""
    return [
        (kind, caveat, rank_of(kind, EPOCH, is_guess=is_guess(Channel.EMAIL, kind, caveat)), meaning.email)
        for kind, meaning in MEANING.items()
        for caveat in ("", *Caveat)
    ]


def _follow_revision(
    revised: Sequence[Revised], told: Mapping[tuple[int, UUID], "Recorded"], targets: Mapping[int, Target]
) -> None:
    addresses = {target.address_id for target in targets.values()}
    if not addresses:
        return
    lock(addresses)
    soft = [each.key for each in revised if each.kind != Kind.HARD_BOUNCE]
    hard = [each for each in revised if each.kind == Kind.HARD_BOUNCE]
    now_hard = [told[each.message_id, each.key] for each in hard]
    if soft:
        withdraw(soft, addresses, outages.hard_bounces(addresses, targets.keys()))
    rule = outages.thresholds()
    grounds = [
        _revised_ground(each, targets[each.message_id].address_id) for each in now_hard if each.caveat not in UNPROVEN
    ]
    named = [targets[each.message_id] for each in now_hard if each.caveat == Caveat.NAMED]
    grounds += _agreed(named, grounds)
    if grounds:
        reword({each.key: each.reason for each in hard}, addresses)
        grounds = list(outages.with_signs_of_life(grounds, rule))
    blocked = causes_of(addresses)
    asked = soft_runs.asked([_news(target, blocked) for target in targets.values()])
    settle(grounds, [], soft_runs.verdicts(asked))
    outages.look_at(grounds, rule)


def _revised_ground(said: "Recorded", address_id: int) -> Ground:
    return Ground(
        address_id, said.occurred_at, said.key, said.message_id, Cause.ONE_HARD_BOUNCE, said.reason, said.code,
        said.diagnostic,
    )  # fmt: skip


def _targets_by_id(ids: Set[int | None]) -> dict[int, Target]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.MESSAGES_BY_ID, [array(ids)])
        return {target.id: target for target in starmap(_target, cursor.fetchall())}


def _target(pk: int, channel: str, address_id: int) -> Target:
    return Target(pk, CHANNELS[channel], address_id)


def _record(facts: Facts) -> tuple[list[Fresh], Set[int]]:
    """Keep what is new and raise its messages. Returns what was new and matters for its address, and the numbers of
    messages that are not there."""
    keys, fresh, missing = list(facts.keys), list[Fresh](), set[int]()
    with prepared() as cursor:
        cursor.execute(
            sql.RECORD_EVENTS,
            [*facts.arrays(), SEVERITY_BITS, WHOLE_RANK, WHOLE_RANK, WHOLE_RANK, WHOLE_KEY],
        )
        for number, address_id, channel, cause, occurred_at, has_arrived in cursor.fetchall():
            place = number - 1
            message_id = facts.message_ids[place]
            if address_id is None:
                missing.add(message_id)
            else:
                event = not_before(occurred_at, facts.events[place])
                fresh.append(Fresh(event, keys[place], _target(message_id, channel, address_id), cause, has_arrived))
    return fresh, missing


def _follow_up(fresh: Sequence[Fresh], answers: Sequence[Wish], late: Sequence[bursts.Late]) -> None:
    """Block, end blocks of soft bounces, change consent: for the addresses that this is about, locked in one go.

    `answers` by SMS belong to no message that is known, but to a number. What is `late` is no sign of a person.
    """
    hard = [
        each
        for each in fresh
        if each.event.kind == Kind.HARD_BOUNCE and not each.has_arrived and each.event.caveat != Caveat.GUESSED
    ]
    proven = [each for each in hard if each.event.caveat not in UNPROVEN]
    asking = [each for each in fresh if each.event.kind in CONSENTS and is_wish(each.target.channel, each.event.caveat)]
    wishes = [*wishes_of([ConsentEvent(each.event, each.key, *each.target) for each in asking]), *answers]
    blocked = {each.target.address_id: each.cause for each in fresh if each.cause is not None}
    reached = {each.target.id: each.target for each in fresh if _may_clear(each)}
    news = [each.target for each in fresh if _is_for_soft_rule(each, blocked)]
    asked = soft_runs.asked([_news(each, blocked) for each in (*news, *reached.values())])
    addresses = {each.target.address_id for each in hard}
    not_a_persons = {(each.message_id, each.key) for each in late}
    # The sign of life of an address that was not blocked says nothing new.
    signs = [
        _sign(each, is_late=(each.target.id, each.key) in not_a_persons)
        for each in fresh
        if each.event.kind in SIGNS
        and (each.event.caveat not in UNPROVEN or each.event.kind in CONSENTS)
        and is_wish(each.target.channel, each.event.caveat)
        and (each.target.address_id in blocked or each.target.address_id in addresses)
    ]
    if not (hard or wishes or asked or signs or late):
        return
    wished = {pk for wish in wishes for pk in wish.address_ids}
    addresses.update(wished, (sign.address_id for sign in signs), (each.address_id for each in late))
    held = lock(addresses.union(*(each.addresses for each in asked)), wished)
    if reached:
        _clear(reached)
    rule = outages.thresholds() if hard else outages.DEFAULTS
    grounds = [_ground(each) for each in proven]
    if len(proven) < len(hard):
        named = [each for each in hard if each.event.caveat in UNPROVEN]
        grounds += _agreed([each.target for each in named], grounds)
        speakers.ask([_claim(each) for each in named if each.event.peer])
    if grounds:
        grounds = list(outages.with_signs_of_life(grounds, rule))
    if late:
        doubt_life({each.message_id for each in late}, {each.address_id for each in late})
    settle(grounds, wishes, soft_runs.verdicts(asked), signs, held)
    if grounds:
        outages.look_at(grounds, rule)


def _may_clear(each: Fresh) -> bool:
    """Whether (a part of) an SMS arrived at a number that a hard bounce blocks, perhaps one of the same SMS."""
    is_arrival = each.event.kind in (Kind.PART_ARRIVED, Kind.DELIVERED)
    return is_arrival and each.target.channel == Channel.SMS and each.cause == Cause.ONE_HARD_BOUNCE


def _clear(reached: Mapping[int, Target]) -> None:
    """End the blocks that a hard bounce of one of these SMS proves, of which something arrived after all. The addresses
    must be locked."""
    with connection.cursor() as cursor:
        cursor.execute(sql.KEYS_OF_HARD, [array(reached)])
        keys = [key for (key,) in cursor.fetchall()]
    if keys:
        addresses = {target.address_id for target in reached.values()}
        withdraw(keys, addresses, outages.hard_bounces(addresses, reached.keys()), ARRIVED)


def _agreed(named: Sequence[Target], known: Sequence[Ground]) -> list[Ground]:
    """The further hard bounces of these addresses that count, now that mails name these messages as bounced: one such
    mail blocks nothing until a report about another message agrees. The addresses must be locked."""
    if not named:
        return []
    keys = {ground.event_key for ground in known}
    found = outages.hard_bounces({each.address_id for each in named}, {each.id for each in named})
    return [ground for ground in found if ground.event_key not in keys]


def _claim(each: Fresh) -> speakers.NamedBounce:
    return speakers.NamedBounce(each.target.id, each.key, each.event.peer)


def believe(message_id: int, key: UUID) -> None:
    """Take a hard bounce that only named its message for proven, and let everything follow: who said it may speak for
    the address. Call it in a transaction, and once in it."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_MESSAGES, [array([message_id])])
        cursor.execute(sql.BELIEVE, [message_id, key])
        rows = list(starmap(Recorded, cursor.fetchall()))
    targets = _targets_by_id({row.message_id for row in rows})
    if not rows:
        return
    lock({target.address_id for target in targets.values()})
    rule = outages.thresholds()
    grounds = [_revised_ground(row, targets[row.message_id].address_id) for row in rows]
    grounds = list(outages.with_signs_of_life(grounds, rule))
    settle(grounds, [])
    outages.look_at(grounds, rule)


def _is_for_soft_rule(each: Fresh, blocked: Mapping[int, str]) -> bool:
    """A failure can make a run long enough; whatever is final can end one that was."""
    kind = each.event.kind
    if blocked.get(each.target.address_id) == Cause.SOFT_BOUNCES:
        return kind in DECISIVE
    return kind in FAILURES


def _news(target: Target, blocked: Mapping[int, str]) -> News:
    is_blocked = blocked.get(target.address_id) == Cause.SOFT_BOUNCES
    return News(target.id, target.address_id, target.channel, is_blocked)


def _ground(each: Fresh) -> Ground:
    event, target = each.event, each.target
    return Ground(
        target.address_id, event.occurred_at, UUID(hex=each.key), target.id, Cause.ONE_HARD_BOUNCE,
        event.reason, event.code, event.diagnostic,
    )  # fmt: skip


def _sign(each: Fresh, *, is_late: bool) -> Engagement:
    event, target = each.event, each.target
    return Engagement(target.address_id, event.occurred_at, SIGNS[event.kind], event.is_automatic or is_late, target.id)
