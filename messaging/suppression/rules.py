"""When soft bounces in a row block an address: the rule of each channel, and the pure functions that apply it.

An address is blocked while at least `bounces` of its messages in a row ended as soft bounces that speak of the
recipient, within `days`. In a row: since the last sign of life (a message of the address shows Delivered, or was
opened; its `status_at`), and since a person last lifted a block. A message counts once, by its status, however often
it was retried; soft bounces for other reasons, and whatever is not known yet, neither count nor reset.

It depends on the messages as they are, and those on the set of their events: so any order of reports ends the same.
sql.SOFT_RUNS comes to the same in the database; tests/messaging/suppression/test_block_laws.py proves it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from contacts.models import Channel
from engage.database import prepared
from messaging.ledger import sql
from messaging.status.order import Status

# Only what speaks of the recipient may ever count: our own faults and the network's say nothing of an address.
REASONS: Final = {
    Channel.EMAIL: (
        "mailbox_full", "mailbox_disabled", "user_unknown", "domain_unknown", "domain_refuses_mail", "address_moved",
        "recipient_refuses",
    ),
    Channel.SMS: ("mailbox_full", "mailbox_disabled", "user_unknown", "recipient_refuses", "network"),
}  # fmt: skip
ALIVE: Final = frozenset({Status.DELIVERED, Status.OPENED})


@dataclass(frozen=True, slots=True)
class SoftRule:
    """The rule of one channel: `bounces` in a row within `days`, for one of `reasons`."""

    channel: Channel
    is_on: bool
    bounces: int
    days: int
    reasons: frozenset[str]

    @property
    def span(self) -> timedelta:
        return timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """What a message of an address shows."""

    id: int
    status: Status
    status_at: datetime
    reason: str = ""
    is_opened: bool = False

    @property
    def is_sign_of_life(self) -> bool:
        return self.is_opened or self.status in ALIVE


DEFAULTS: Final = {
    Channel.EMAIL: SoftRule(
        Channel.EMAIL, True, 10, 90, frozenset({"mailbox_full", "mailbox_disabled", "user_unknown"})
    ),
    Channel.SMS: SoftRule(Channel.SMS, False, 10, 90, frozenset({"mailbox_full", "mailbox_disabled", "user_unknown"})),
}  # fmt: skip


def rules() -> dict[Channel, SoftRule]:
    """The rules in force: what administrators have set, else the defaults. One query."""
    with prepared() as cursor:
        cursor.execute(sql.BLOCK_RULES)
        rows = cursor.fetchall()
    return DEFAULTS | {
        Channel(channel): SoftRule(Channel(channel), is_on, bounces, days, frozenset(json.loads(reasons)))
        for channel, is_on, bounces, days, reasons in rows
    }


def decisive(rule: SoftRule, run: Sequence[ShownMessage]) -> ShownMessage | None:
    """The soft bounce that made the run long enough for a block; None where it is not, or the rule is off."""
    if not rule.is_on:
        return None
    for first, last in zip(run, run[rule.bounces - 1 :], strict=False):
        if last.status_at - first.status_at <= rule.span:
            return last
    return None
