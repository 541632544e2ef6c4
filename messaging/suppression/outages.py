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
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts import sql as contact_sql
from contacts.blocks.record import Evidence, lock, settle
from contacts.models import Block, Outage
from contacts.sql import array, columns
from engage.database import prepared
from messaging.ledger import sql

log = logging.getLogger(__name__)

# What is usual is learnt from so long before.
USUAL: Final = timedelta(weeks=4)
# So many of the messages sent meanwhile are looked at for the share that bounced; fewer of the domain tell nothing.
SAMPLE: Final = 2_000
FEWEST: Final = 30
CHUNK: Final = 1_000
REASON_OF: Final = {
    Outage.Verdict.KEPT: _("The addresses are dead: no outage."),
    Outage.Verdict.DROPPED: _("The domain had an outage: its hard bounces of that time do not count."),
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on hard bounces look like an outage of their domain, and when one by itself says too little (see
    OutageRule)."""

    is_on: bool = True
    addresses: int = 20
    hours: int = 6
    share: int = 50
    alive_days: int = 30
    times: int = 5
    rate: int = 2
    needs_second: bool = True

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.hours)

    @property
    def lately(self) -> timedelta:
        return timedelta(days=self.alive_days)


class BounceSpike(NamedTuple):
    """A time in which a domain answered as in an outage, and the messages between the first and the last of it."""

    domain: str
    from_at: datetime
    until_at: datetime
    first_message: int
    last_message: int


DEFAULTS: Final = Thresholds()


def thresholds() -> Thresholds:
    """The thresholds in force: what administrators have set, else the defaults. One query."""
    with prepared() as cursor:
        cursor.execute(sql.OUTAGE_RULE)
        row = cursor.fetchone()
    return Thresholds(*row) if row else DEFAULTS


def with_signs_of_life(grounds: Sequence[Evidence], rule: Thresholds) -> Sequence[Evidence]:
    """Hard bounces, each with when its address last took a message, where that was lately."""
    asked = columns((evidence.event_key, evidence.message_id, evidence.occurred_at) for evidence in grounds)
    with prepared() as cursor:
        cursor.execute(sql.SIGNS_OF_LIFE, [*asked, str(rule.lately)])
        alive_at = dict(cursor.fetchall())
    return [evidence._replace(alive_at=alive_at.get(evidence.event_key)) for evidence in grounds]


def look_at(grounds: Sequence[Evidence], rule: Thresholds) -> None:
    """See whether these hard bounces, which have just blocked, make an outage, and then hold what belongs to it.

    Only living addresses can make one. Call it last: after this, no further locks are taken.
    """
    living = {evidence.address_id for evidence in grounds if evidence.alive_at is not None}
    if not living or not rule.is_on:
        return
    for spike in crowds(living, rule):
        rate = rate_of(spike)
        if rate is None or rate >= rule.rate:
            _open(spike, rule)


def crowds(address_ids: set[int], rule: Thresholds) -> list[BounceSpike]:
    """The domains of these blocked addresses that answer as in an outage, but for the share of all messages."""
    with prepared() as cursor:
        cursor.execute(
            sql.CROWDS,
            {
                "addresses": array(address_ids), "window": str(rule.window), "usual": str(USUAL),
                "least": rule.addresses, "share": rule.share / 100, "times": rule.times,
                "weeks": USUAL / timedelta(weeks=1),
            },
        )  # fmt: skip
        return [BounceSpike(*row) for row in cursor.fetchall()]


def rate_of(spike: BounceSpike) -> float | None:
    """How many per cent of the domain's messages of that time bounced hard; None where too few are known to tell."""
    step = max(1, (spike.last_message - spike.first_message) // SAMPLE)
    with connection.cursor() as cursor:
        cursor.execute(sql.RATE, [spike.first_message, spike.last_message, step, spike.domain])
        bounced, sent = cursor.fetchone()
    return float(100 * bounced / sent) if sent >= FEWEST else None


def _open(spike: BounceSpike, rule: Thresholds) -> None:
    """Note the outage, or that it lasts longer than was known; hold what has blocked meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(sql.OPEN_OUTAGE, [spike.domain, spike.from_at, spike.until_at + rule.window])
        found = cursor.fetchone()
        if found is None:
            return
        outage_id, is_new = found
        cursor.execute(sql.HOLD, [outage_id])
    if is_new:
        says = "Outage suspected: %s answers hard bounces for addresses that took mail lately. Held for review."
        transaction.on_commit(partial(log.warning, says, spike.domain))


def hold_latecomers() -> int:
    """Hold what blocked while another worker was just noting the outage. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(sql.HOLD_ALL)
        return int(cursor.rowcount)


def settle_held(since: datetime) -> int:
    """Look again at what blocked before its outage was found and has been held since then. Returns how many.

    A block names one proof, and the address may have others, which do not lie within the outage: then those block.
    """
    some = Block.objects.filter(held_at__gte=since, held_at__gt=F("recorded_at"), ended_at=None)
    caught = list(some.order_by("address_id").values_list("address_id", "message_id"))
    for start in range(0, len(caught), CHUNK):
        addresses = [address_id for address_id, _message in caught[start : start + CHUNK]]
        with transaction.atomic():
            lock(addresses)
            if grounds := hard_bounces(addresses, [message or 0 for _address, message in caught]):
                settle(grounds, [])
    return len(caught)


def hard_bounces(addresses: Collection[int], messages: Collection[int]) -> list[Evidence]:
    """All hard bounces that are recorded of these addresses, found through those who have them and these messages."""
    with connection.cursor() as cursor:
        cursor.execute(sql.HARD_BOUNCES, {"addresses": array(addresses), "messages": array(messages)})
        return [Evidence(*row) for row in cursor.fetchall()]


def undecided() -> list[Outage]:
    """The outages that wait for a decision, with `held`: how many blocks that concerns."""
    held = Count("blocks", filter=Q(blocks__held_at__isnull=False, blocks__ended_at=None))
    return list(Outage.objects.filter(decided_at=None).annotate(held=held).order_by("pk"))


class AlreadyDecidedError(Exception):
    """Somebody else decided first; `outage` says who, when and what."""

    def __init__(self, outage: Outage) -> None:
        super().__init__("The outage was decided already.")
        self.outage = outage


def decide(outage_id: int, verdict: Outage.Verdict, *, actor_id: int, why: str = "") -> Outage:
    """Keep or drop the blocks of a suspected outage; the caller has checked the permission. Returns the outage.

    From now on what is still reported of that time follows the decision; `carry_out` brings it to the held blocks.
    Of several administrators at once one succeeds, the others get AlreadyDecidedError.
    """
    is_mine = Outage.objects.filter(pk=outage_id, decided_at=None).update(
        verdict=verdict, decided_at=timezone.now(), decided_by_id=actor_id, why=why or str(REASON_OF[verdict])
    )
    outage = Outage.objects.select_related("decided_by").get(pk=outage_id)
    if not is_mine:
        raise AlreadyDecidedError(outage)
    log.warning("Outage of %s decided: blocks %s.", outage.domain, verdict)
    return outage


def carry_out(most: int | None = None) -> int:
    """Bring what was decided to the blocks that are still held, in chunks, each its own transaction.

    Returns how many blocks that were: at most about `most`. What is left, the next call does.
    """
    done = 0
    while most is None or done < most:
        some = Block.objects.filter(outage__decided_at__isnull=False, held_at__isnull=False, ended_at=None)
        chunk = list(some.order_by("outage", "pk").values_list("pk", "address_id")[:CHUNK])
        if not chunk:
            break
        with transaction.atomic(), connection.cursor() as cursor:
            lock([address_id for _pk, address_id in chunk])
            cursor.execute(contact_sql.DECIDE, [array(pk for pk, _address in chunk)])
        done += len(chunk)
    return done
