"""Soft bounces in a row, looked up for the addresses of a batch of events. The rule itself is in block_rules.py.

What is not in the batch costs nothing: an address is looked at when a soft bounce comes in (for another reason, too:
it may take back a delivery), and one that the rule has blocked whenever something final is said of it. The block ends
as soon as the rule would not make it.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from contacts.blocks.record import Evidence
from contacts.models import Cause, Channel
from contacts.sql import array, columns
from engage.database import prepared
from messaging.ledger import sql
from messaging.suppression.rules import DEFAULTS, SoftRule, rules


class StatusChange(NamedTuple):
    """A soft bounce, or something final that was said of a message whose address the rule has blocked."""

    message_id: int
    address_id: int
    channel: Channel
    is_blocked: bool


@dataclass(slots=True)
class Asked:
    """Addresses that the rule of one channel is to judge, messages of theirs, and which of them it has blocked."""

    rule: SoftRule
    addresses: set[int] = field(default_factory=set)
    messages: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)

    def add(self, news: StatusChange) -> None:
        self.addresses.add(news.address_id)
        self.messages.add(news.message_id)
        if news.is_blocked:
            self.blocked.add(news.address_id)


def asked(news: Collection[StatusChange]) -> list[Asked]:
    """The addresses that the rules have to judge anew after these changes, by channel."""
    if not news:
        return []
    wanted = {channel: Asked(rule) for channel, rule in rules().items()}
    for each in news:
        if each.is_blocked or wanted[each.channel].rule.is_on:
            wanted[each.channel].add(each)
    return [each for each in wanted.values() if each.addresses]


def verdicts(wanted: Iterable[Asked]) -> dict[int, Evidence | None]:
    """By address, the ground for a block; None for one that is blocked and would not be any more.

    The addresses must be locked, so that of two workers the later sees what the earlier has written.
    """
    found: dict[int, Evidence | None] = {}
    for each in wanted:
        found |= dict.fromkeys(each.blocked)
        found |= grounds(each.rule, each.addresses, each.messages)
    return found


def grounds(rule: SoftRule, addresses: Collection[int], messages: Collection[int] = ()) -> Mapping[int, Evidence]:
    """The addresses that the rule blocks, each with the soft bounce that decides."""
    if not rule.is_on or not addresses:
        return {}
    with prepared() as cursor:
        cursor.execute(sql.SOFT_RUNS, arguments(rule, addresses, messages))
        return {
            address_id: Evidence(address_id, at, key, message_id, Cause.SOFT_BOUNCES, *proof)
            for address_id, at, key, message_id, *proof in cursor.fetchall()
        }


@dataclass(frozen=True, slots=True)
class Run:
    """Soft bounces in a row of an address: how many within the rule's days, since when, and when it is blocked."""

    count: int
    since: datetime
    limit: int


def runs_of(addresses: Mapping[Channel, int]) -> dict[Channel, Run]:
    """The runs of these addresses where the channel's rule is on and something counts. One query."""
    if not addresses:
        return {}
    rows = [
        (rule.channel, rule.is_on, rule.bounces, rule.days, json.dumps(sorted(rule.reasons)))
        for rule in DEFAULTS.values()
    ]
    names = ("channels", "is_on", "bounces", "days", "reasons")
    # One by one, not as a list: a plan for any two addresses is then as good as one for these two, and is kept.
    asked = {"email": addresses.get(Channel.EMAIL), "mobile": addresses.get(Channel.SMS)}
    with prepared() as cursor:
        cursor.execute(sql.SOFT_COUNTS, {**asked, **dict(zip(names, columns(rows), strict=True))})
        return {Channel(channel): Run(*found) for channel, *found in cursor.fetchall()}


def arguments(rule: SoftRule, addresses: Collection[int], messages: Collection[int]) -> dict[str, str | int]:
    return {
        "addresses": array(addresses), "messages": array(messages), "channel": rule.channel,
        "bounces": rule.bounces, "reasons": array(sorted(rule.reasons)), "span": str(rule.span),
    }  # fmt: skip
