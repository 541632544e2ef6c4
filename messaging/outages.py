"""When a receiving domain calls addresses dead that took mail lately, its hard bounces are held for review.

A big provider's fault can answer "no such user" for addresses that are alive; then blocking would lose customers by
the thousand. So the hard bounces of a domain are watched: where, within some hours, many of the addresses had taken a
message in the weeks before, most of those that bounced had, far more than in an ordinary week, and a fair share of all
that was sent there bounced, that is taken for an outage. All hard bounces of the domain in that time are held, the
first ones, which blocked, too; they stop no sending until a person has kept or dropped them. All times are those at
which the bounces happened, so the order in which they are reported does not matter.

What a domain's own answers cannot show is not seen: where a provider reports no deliveries, nobody took mail lately.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from django.db import connection, transaction

from contacts.blocks import Ground
from contacts.sql import array, columns
from messaging import sql
from messaging.models import OutageRule

log = logging.getLogger(__name__)

# What is usual is learnt from so long before.
USUAL: Final = timedelta(weeks=4)
# So many of the messages sent meanwhile are looked at for the share that bounced; fewer of the domain tell nothing.
SAMPLE: Final = 2_000
FEWEST: Final = 30


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on hard bounces look like an outage of their domain (see OutageRule)."""

    is_on: bool = True
    addresses: int = 20
    hours: int = 6
    share: int = 50
    alive_days: int = 30
    times: int = 5
    rate: int = 2

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.hours)

    @property
    def lately(self) -> timedelta:
        return timedelta(days=self.alive_days)


class Crowd(NamedTuple):
    """A time in which a domain answered as in an outage, and the messages between the first and the last of it."""

    domain: str
    from_at: datetime
    until_at: datetime
    first_message: int
    last_message: int


DEFAULTS: Final = Thresholds()


def thresholds() -> Thresholds:
    """Those in force: what administrators have set, else the defaults. One query."""
    row = OutageRule.objects.order_by("pk").first()
    return thresholds_of(row) if row else DEFAULTS


def thresholds_of(row: OutageRule) -> Thresholds:
    return Thresholds(row.is_on, row.addresses, row.hours, row.share, row.alive_days, row.times, row.rate)


def with_signs_of_life(grounds: Sequence[Ground]) -> Sequence[Ground]:
    """Hard bounces, each with when its address last took a message, where that was lately."""
    if not grounds:
        return grounds
    asked = columns((ground.event_key, ground.message_id, ground.occurred_at) for ground in grounds)
    with connection.cursor() as cursor:
        cursor.execute(sql.SIGNS_OF_LIFE, [*asked, str(thresholds().lately)])
        alive_at = dict(cursor.fetchall())
    return [ground._replace(alive_at=alive_at.get(ground.event_key)) for ground in grounds]


def look_at(grounds: Sequence[Ground]) -> None:
    """See whether these hard bounces, which have just blocked, make an outage, and then hold what belongs to it.

    Only living addresses can make one. Call it last: after this, no further locks are taken.
    """
    living = {ground.address_id for ground in grounds if ground.alive_at is not None}
    if not living:
        return
    rule = thresholds()
    if not rule.is_on:
        return
    for crowd in crowds(living, rule):
        if rate_of(crowd) >= rule.rate:
            _open(crowd, rule)


def crowds(address_ids: set[int], rule: Thresholds) -> list[Crowd]:
    """The domains of these blocked addresses that answer as in an outage, but for the share of all messages."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.CROWDS,
            {
                "addresses": array(address_ids), "window": str(rule.window), "usual": str(USUAL),
                "least": rule.addresses, "share": rule.share / 100, "times": rule.times,
                "weeks": USUAL / timedelta(weeks=1),
            },
        )  # fmt: skip
        return [Crowd(*row) for row in cursor.fetchall()]


def rate_of(crowd: Crowd) -> float:
    """How many per cent of the domain's messages of that time bounced hard; 100 where too few are known to tell."""
    step = max(1, (crowd.last_message - crowd.first_message) // SAMPLE)
    with connection.cursor() as cursor:
        cursor.execute(sql.RATE, [crowd.first_message, crowd.last_message, step, crowd.domain])
        bounced, sent = cursor.fetchone()
    return float(100 * bounced / sent) if sent >= FEWEST else 100.0


def _open(crowd: Crowd, rule: Thresholds) -> None:
    """Note the outage, or that it lasts longer than was known; hold what has blocked meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(sql.OPEN_OUTAGE, [crowd.domain, crowd.from_at, crowd.until_at + rule.window])
        found = cursor.fetchone()
        if found is None:
            return
        outage_id, is_new = found
        cursor.execute(sql.HOLD, [outage_id])
    if is_new:
        says = "Outage suspected: %s answers hard bounces for addresses that took mail lately. Held for review."
        transaction.on_commit(partial(log.warning, says, crowd.domain))


def hold_latecomers() -> int:
    """Hold what blocked while another worker was just noting the outage. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(sql.HOLD_ALL)
        return int(cursor.rowcount)
