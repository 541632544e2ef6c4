"""A changed rule for soft bounces in a row: what it would block and lift, and applying it to what is there already.

Everything goes in chunks, so that neither memory nor a transaction grows with the number of messages.
"""

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from contacts.blocks.record import IN_FORCE, lock, settle
from contacts.models import Address, Block, Cause, Channel
from messaging.models import BlockRule, Message
from messaging.status.order import Status
from messaging.suppression import outages, soft_runs
from messaging.suppression.rules import SoftRule, rules

log = logging.getLogger(__name__)

CHUNK: Final = 1_000
EXAMPLES: Final = 5
RECENTLY: Final = timedelta(minutes=10)


@dataclass(slots=True)
class RuleEffect:
    """How many addresses a rule would block and how many it would lift, with some of each."""

    blocked: int = 0
    lifted: int = 0
    to_block: list[str] = field(default_factory=list)
    to_lift: list[str] = field(default_factory=list)


def dry_run(rule: SoftRule) -> RuleEffect:
    """What saving the rule would do now. Changes nothing."""
    effect = RuleEffect()
    for addresses, messages in candidates(rule):
        found = set(soft_runs.grounds(rule, addresses, messages))
        found -= set(Block.objects.filter(IN_FORCE, address_id__in=found).values_list("address_id", flat=True))
        effect.blocked += len(found)
        effect.to_block += _values(found, EXAMPLES - len(effect.to_block))
    for addresses in blocked_by_rule(rule.channel):
        freed = set(addresses) - soft_runs.grounds(rule, addresses).keys()
        effect.lifted += len(freed)
        effect.to_lift += _values(freed, EXAMPLES - len(effect.to_lift))
    return effect


def apply_changed() -> int:
    """Apply the rules that were saved and not applied yet. Returns how many. A worker that dies is followed up."""
    waiting = list(BlockRule.objects.filter(applied_at=None).values_list("channel", "changed_at"))
    for channel, changed_at in waiting:
        apply_rule(rules()[Channel(channel)])
        # Changed again meanwhile: then it is applied again.
        BlockRule.objects.filter(channel=channel, changed_at=changed_at).update(applied_at=timezone.now())
        log.info("The rule for soft bounces in a row of %s is applied.", channel)
    return len(waiting)


def apply_rule(rule: SoftRule) -> None:
    """Block whom the rule blocks, and end its blocks of whom it would not; each chunk is a transaction."""
    for addresses in blocked_by_rule(rule.channel):
        judge(rule, addresses, blocked=addresses)
    for addresses, messages in candidates(rule):
        judge(rule, addresses, messages)


def judge(
    rule: SoftRule, addresses: Collection[int], messages: Collection[int] = (), blocked: Collection[int] = ()
) -> None:
    """Let the rule decide on these addresses anew; `blocked` are those that it has blocked."""
    asked = soft_runs.Asked(rule, set(addresses), set(messages), set(blocked))
    with transaction.atomic():
        lock(addresses)
        settle([], [], soft_runs.verdicts([asked]))


def look_after_blocks() -> dict[str, int]:
    """What two workers at once can miss, and what one that died has left: every minute, by the beat."""
    recently = timezone.now() - RECENTLY
    return {
        "held": outages.hold_latecomers(),
        "settled": outages.settle_held(recently),
        "decided": outages.carry_out(),
        "rechecked": recheck(recently),
        "applied": apply_changed(),
    }


def recheck(since: datetime) -> int:
    """Judge anew whom the rules have blocked since then, in case a delivery was just being recorded. How many."""
    recent = Block.objects.filter(cause=Cause.SOFT_BOUNCES, ended_at=None, recorded_at__gte=since)
    count = 0
    for channel, rule in rules().items():
        addresses = list(recent.filter(address__channel=channel).values_list("address_id", flat=True))
        for start in range(0, len(addresses), CHUNK):
            some = addresses[start : start + CHUNK]
            judge(rule, some, blocked=some)
        count += len(addresses)
    return count


def candidates(rule: SoftRule) -> Iterator[tuple[list[int], list[int]]]:
    """Chunks of addresses with enough such soft bounces, and a message of each: more than the rule blocks."""
    if not rule.is_on:
        return
    bounced = Message.objects.filter(channel=rule.channel, status=Status.SOFT_BOUNCE, reason__in=rule.reasons)
    counted = bounced.order_by().values("address_id").annotate(bounces=Count("pk"), latest=Max("pk"))
    rows = counted.filter(bounces__gte=rule.bounces).values_list("address_id", "latest")
    found = rows.iterator(chunk_size=CHUNK)
    while chunk := list(islice(found, CHUNK)):
        yield [address_id for address_id, _message in chunk], [message_id for _address, message_id in chunk]


def blocked_by_rule(channel: Channel) -> Iterator[list[int]]:
    """Chunks of the addresses that the rule of the channel has blocked."""
    last = 0
    while True:
        blocks = Block.objects.filter(
            cause=Cause.SOFT_BOUNCES, ended_at=None, address__channel=channel, address_id__gt=last
        )
        chunk = list(blocks.order_by("address_id").values_list("address_id", flat=True)[:CHUNK])
        if not chunk:
            return
        yield chunk
        last = chunk[-1]


def _values(address_ids: Iterable[int], most: int) -> list[str]:
    if most <= 0:
        return []
    wanted = sorted(address_ids)[:most]
    return list(Address.objects.filter(pk__in=wanted).order_by("value").values_list("value", flat=True))
