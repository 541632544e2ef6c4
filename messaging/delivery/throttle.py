"""Limits: a way out that sends no faster than it may, and that leaves alone who asks for it.

Each message that must wait is promised a moment of its own, in PostgreSQL: the list of what is tried again takes it up
then, whichever worker is there. So nothing is asked twice, nobody overtakes, and a dead worker holds nothing back.
A domain that answers "too many" is left alone for a while, which doubles as long as it goes on saying so; its messages
wait, without an attempt being counted, and other domains go on.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from time import monotonic
from typing import Any, Final, NamedTuple

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from contacts.models import Channel
from contacts.sql import array, columns
from engage.domains import in_ascii
from messaging.delivery.rates import Limits, Rate
from messaging.delivery.transport import DeliveryOutcome, Held, Ready, Transport
from messaging.status.order import Caveat, Event, Kind

log = logging.getLogger(__name__)

# What may leave within this time leaves at once: the list of what is tried again is looked through as often.
AHEAD: Final = timedelta(seconds=15)
# How long who asked for it is left alone, the first time and at most.
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
# So far apart are messages to a domain without a limit, when it has just been left alone.
SPACING: Final = timedelta(milliseconds=100)
# For so long others' news may be late.
SEEN_SECONDS: Final = 1.0
# The key of the way out as a whole.
WHOLE: Final = ""
TOO_MANY: Final = "rate_limited"
# Of a relay or a provider, all messages' only way, this too is a reason to wait.
CLOSING: Final = "421"
TAKEN: Final = (Kind.ACCEPTED, Kind.TAKEN, Kind.DELIVERED)
AWAY: Final = frozenset({TOO_MANY, "network", "server_error"})

# How far each is; asked of all domains of a slice at once.
STANDING: Final = """
SELECT domain, CASE WHEN closed_until > statement_timestamp() THEN closed_until END, refusals
FROM messaging_pace WHERE provider = %s AND domain = ANY(%s)
"""
# Promises the next moments: `count` of them, `gap` apart, to whoever asks. In the order of domains, as everybody does.
PROMISE: Final = """
INSERT INTO messaging_pace AS p (provider, domain, next_at)
SELECT %s, w.domain, statement_timestamp() + w.count * w.gap
FROM unnest(%s::text[], %s::int[], %s::interval[]) AS w(domain, count, gap) ORDER BY w.domain
ON CONFLICT (provider, domain) DO UPDATE SET next_at =
  GREATEST(p.next_at, p.closed_until, statement_timestamp()) + (excluded.next_at - statement_timestamp())
RETURNING domain, next_at, statement_timestamp()
"""
# Whoever is left alone already is not so for twice as long: the others were on their way when it began.
CLOSE: Final = """
INSERT INTO messaging_pace AS p (provider, domain, next_at, closed_until, refusals)
SELECT %s, w.domain, statement_timestamp(), statement_timestamp() + GREATEST(w.said, %s), 1
FROM unnest(%s::text[], %s::interval[]) AS w(domain, said) ORDER BY w.domain
ON CONFLICT (provider, domain) DO UPDATE SET
  closed_until = excluded.next_at
    + GREATEST(excluded.closed_until - excluded.next_at, LEAST(%s * power(2, p.refusals), %s)),
  refusals = LEAST(p.refusals + 1, 10)
WHERE p.closed_until IS NULL OR p.closed_until <= statement_timestamp()
"""
REOPEN: Final = """
UPDATE messaging_pace SET closed_until = NULL, refusals = 0 WHERE id = ANY(ARRAY(
  SELECT id FROM messaging_pace WHERE provider = %s AND domain = ANY(%s) AND refusals > 0
  AND (closed_until IS NULL OR closed_until <= statement_timestamp()) ORDER BY domain FOR NO KEY UPDATE))
"""
TELL: Final = """
INSERT INTO messaging_slowdown AS s (send_out_id, provider, domain, until, per_hour)
SELECT w.send_out, %s, w.domain, w.until, w.per_hour
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[]) AS w(send_out, domain, until, per_hour)
ORDER BY w.send_out, w.domain
ON CONFLICT (send_out_id, domain) DO UPDATE SET
  until = GREATEST(s.until, excluded.until), per_hour = excluded.per_hour, provider = excluded.provider
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands in the way of a domain, or of all: a limit, a request to wait, or both."""

    rate: Rate | None
    closed_until: datetime | None

    @property
    def gap(self) -> timedelta:
        return self.rate.interval if self.rate else SPACING

    @property
    def per_hour(self) -> int | None:
        """None where they asked for it."""
        return self.rate.per_hour if self.rate and not self.closed_until else None


class ThrottleState(NamedTuple):
    """How a key was standing, at a time of the monotonic clock."""

    seen_at: float
    closed_until: datetime | None
    refusals: int


class Paced:
    """A Transport (transport.py) around another one."""

    def __init__(self, way: Transport, limits: Limits, *, is_direct: bool) -> None:
        """`is_direct`: it is the receiving domains that answer; else one relay or provider speaks for all."""
        self._way, self._limits, self._is_direct = way, limits, is_direct
        self._seen: dict[str, ThrottleState] = {}

    @property
    def slug(self) -> str:
        return self._way.slug

    @property
    def channel(self) -> Channel:
        return self._way.channel

    @property
    def slice(self) -> int:
        return self._way.slice

    @property
    def schedule(self) -> Sequence[timedelta]:
        return self._way.schedule

    def __enter__(self) -> "Paced":
        self._way.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._way.__exit__(*error)

    def parts_of(self, message: Ready) -> int:
        return self._way.parts_of(message)

    def send_all(self, messages: Sequence[Ready]) -> Iterator[DeliveryOutcome | Held]:
        try:
            gates = self._gates(messages)
            held = self._held(messages, gates) if gates else []
        except (OperationalError, InterfaceError) as error:
            log.warning("PostgreSQL does not say how fast messages may leave (%s).", type(error).__name__)
            yield from map(Held, messages)
            return
        yield from held
        waiting = {each.message.id for each in held}
        found = list(self._way.send_all([each for each in messages if each.id not in waiting]))
        patience = self._patience(found, by_id := {each.id: each for each in messages})
        yield from (self._put_off(each, by_id) if not self._is_direct and patience else each for each in found)

    def _gates(self, messages: Sequence[Ready]) -> dict[str, Gate]:
        """Of the keys of these messages, those where something stands in the way."""
        keys = {WHOLE} | {domain_of(each.address) for each in messages}
        self._look(keys if self._is_direct else {WHOLE})
        rates = {key: self._limits.of(key) if key else self._limits.whole for key in keys}
        gates = {key: Gate(rates[key], self._seen[key].closed_until if key in self._seen else None) for key in keys}
        return {key: gate for key, gate in gates.items() if gate.rate or gate.closed_until}

    def _look(self, keys: Set[str]) -> None:
        """How each is standing; what was seen a moment ago is not asked again."""
        old = monotonic() - SEEN_SECONDS
        wanted = {key for key in keys if key not in self._seen or self._seen[key].seen_at < old}
        if not wanted:
            return
        with connection.cursor() as cursor:
            cursor.execute(STANDING, [self.slug, array(wanted)])
            found = {key: (until, refusals) for key, until, refusals in cursor.fetchall()}
        self._seen |= {key: ThrottleState(monotonic(), *found.get(key, (None, 0))) for key in wanted}

    def _held(self, messages: Sequence[Ready], gates: dict[str, Gate]) -> list[Held]:
        """Messages whose moment has not come."""
        asking = {each.id: [key for key in keys_of(each) if asks(each, gates.get(key))] for each in messages}
        slots, now = self._promised(Counter(key for keys in asking.values() for key in keys), gates)
        shut = {key: _from(gate.closed_until, gate.gap) for key, gate in gates.items() if gate.closed_until}
        held, slowed = list[Held](), dict[tuple[int, str], datetime]()
        for each in messages:
            moments = {key: next(slots[key]) for key in asking[each.id]}
            moments |= {key: next(shut[key]) for key in keys_of(each) if key in shut and key not in moments}
            is_free = each.is_planned and not any(key in shut for key in moments)
            if not moments or is_free or max(moments.values()) <= now + AHEAD:
                continue
            key = max(moments, key=lambda name: moments[name])
            held.append(Held(each, moments[key]))
            slowed[each.send_out.id, key] = max(moments[key], slowed.get((each.send_out.id, key), moments[key]))
        self._tell(slowed, gates)
        return held

    def _promised(self, counts: Counter[str], gates: dict[str, Gate]) -> tuple[dict[str, Iterator[datetime]], datetime]:
        """The moments by key, and what the time is."""
        wanted = [(key, number, gates[key].gap) for key, number in sorted(counts.items())]
        if not wanted:
            return {}, timezone.now()
        with connection.cursor() as cursor:
            cursor.execute(PROMISE, [self.slug, *columns(wanted)])
            found = cursor.fetchall()
        after = {key: next_at for key, next_at, _now in found}
        slots = {key: _from(after[key] - gap * number, gap) for key, number, gap in wanted}
        return slots, found[0][2]

    def _tell(self, slowed: dict[tuple[int, str], datetime], gates: dict[str, Gate]) -> None:
        rows = [(send_out, key, until, gates[key].per_hour) for (send_out, key), until in slowed.items()]
        if rows:
            with connection.cursor() as cursor:
                cursor.execute(TELL, [self.slug, *columns(rows)])

    def _patience(self, found: Sequence[DeliveryOutcome | Held], by_id: dict[int, Ready]) -> bool:
        """Leave alone who asked for it; who took something needs it no longer. Returns whether anybody asked."""
        closing, good = dict[str, timedelta](), set[str]()
        outcomes = [each for each in found if isinstance(each, DeliveryOutcome) and each.event.message_id in by_id]
        is_any_taken = any(each.event.kind in TAKEN and not each.event.caveat for each in outcomes)
        for each in outcomes:
            key = domain_of(by_id[each.event.message_id or 0].address) if self._is_direct else WHOLE
            if asks_for_patience(each.event, is_only_way=not self._is_direct, is_any_taken=is_any_taken):
                closing[key] = max(closing.get(key, timedelta()), timedelta(seconds=each.wait))
            elif each.event.kind in TAKEN:
                good.add(key)
        refusing = {key for key in good - closing.keys() if key in self._seen and self._seen[key].refusals}
        try:
            self._write(closing, refusing)
        except (OperationalError, InterfaceError) as error:
            # The next slice finds it out anew; what became of this one goes before.
            log.warning("PostgreSQL does not take who wants to be left alone (%s).", type(error).__name__)
        for key in closing.keys() | refusing:
            self._seen.pop(key, None)
        return bool(closing)

    def _write(self, closing: Mapping[str, timedelta], refusing: Set[str]) -> None:
        if not closing and not refusing:
            return
        with connection.cursor() as cursor:
            if closing:
                of: Any = [self.slug, FIRST_PAUSE, *columns(sorted(closing.items())), FIRST_PAUSE, LONGEST_PAUSE]
                cursor.execute(CLOSE, of)
            if refusing:
                cursor.execute(REOPEN, [self.slug, array(refusing)])

    @staticmethod
    def _put_off(found: DeliveryOutcome | Held, by_id: dict[int, Ready]) -> DeliveryOutcome | Held:
        """What a relay or provider put off, because it was away or too busy, is ours still, and goes on waiting."""
        if isinstance(found, Held):
            return found
        event, message = found.event, by_id.get(found.event.message_id or 0)
        is_put_off = event.kind == Kind.DEFERRED and (event.reason in AWAY or event.reply_code == CLOSING)
        return Held(message) if message is not None and is_put_off else found


def asks(message: Ready, gate: Gate | None) -> bool:
    """Whether a message needs a moment to be promised. At its promised one it has paid; a later attempt pays, and goes.

    One whose moment came while the domain is left alone goes right after that, lest it lose its place.
    """
    if gate is None:
        return False
    if not message.is_planned:
        return True
    return gate.closed_until is not None if gate.rate is None else message.attempt > 1 and gate.closed_until is None


def _from(start: datetime, gap: timedelta) -> Iterator[datetime]:
    return (start + gap * n for n in count())


def keys_of(message: Ready) -> tuple[str, str]:
    return WHOLE, domain_of(message.address)


def domain_of(address: str) -> str:
    """In ASCII, as limits by domain name it, whichever way they were written."""
    return in_ascii(address).rpartition("@")[2].lower()


def asks_for_patience(event: Event, *, is_only_way: bool, is_any_taken: bool) -> bool:
    """RFC 5321 3.8: 421 closes the line; else the words decide. Of our only way, that it is away counts as well.

    A fault while it takes other messages is that one message's own.
    """
    if event.kind in (Kind.ACCEPTED, Kind.TAKEN):
        return is_only_way and event.caveat == Caveat.OUTCOME_UNKNOWN
    if event.kind not in (Kind.DEFERRED, Kind.SOFT_BOUNCE):
        return False
    if event.reply_code == CLOSING or event.reason == TOO_MANY:
        return True
    return is_only_way and not is_any_taken and event.kind == Kind.DEFERRED and event.reason in AWAY
