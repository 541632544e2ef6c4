"""Who gets a send-out and who does not, and why: one text of SQL, from which rows, counts and lists are made.

For each member of the audience the first that holds: no address, blocked, unsubscribed (unless transactional), a copy
to an address that somebody before gets, the master control group, the control group; else a message that waits.
"""

from dataclasses import dataclass, field
from typing import Final

from django.db import OperationalError, connection, transaction

from contacts.models import Channel
from messaging.sendouts import sql
from messaging.sendouts.audience import LARGEST, Members, Parameters, read
from messaging.sendouts.control_group import Draw, Master, current_master
from messaging.sendouts.models import SendOut, Why
from messaging.status.order import Status

ADDRESS: Final = {Channel.EMAIL: "email_address_id", Channel.SMS: "mobile_address_id"}
# What can become of a member of the audience, as it is asked.
OUTCOMES: Final = (*Why, Status.CONTROL_GROUP, Status.WAITING)
# So many contacts stand for all of them where an estimate has to do: half of them are 50 % give or take 0.7.
SAMPLE: Final = 20_000
# A share of which the sample holds fewer is counted instead.
FEW: Final = 200
# For as long a page that is being filled in waits for an exact count, milliseconds; and the final page.
PATIENCE_MS: Final = 700
LONG_PATIENCE_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class ResolutionRules:
    """What decides who gets a send-out."""

    channel: Channel
    audience: Members
    is_transactional: bool = False
    control: Draw = field(default_factory=Draw)
    master: Master = field(default_factory=Master)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many members of the audience have which outcome. `is_estimate`: from a sample, not counted."""

    by_outcome: dict[str, int] = field(default_factory=dict)
    is_estimate: bool = False

    def of(self, outcome: str) -> int:
        return self.by_outcome.get(outcome, 0)

    @property
    def audience(self) -> int:
        return sum(self.by_outcome.values())

    @property
    def get_it(self) -> int:
        return self.of(Status.WAITING)


def rules_of(send_out: SendOut, master: Master | None = None) -> ResolutionRules:
    """The rules of the send-out, with the master control group of its start, or as it is set now.

    Who must be told (a receipt, a changed password) is in no control group. Raises AudienceError.
    """
    audience, channel = read(send_out.audience), Channel(send_out.channel)
    if send_out.is_transactional:
        return ResolutionRules(channel, audience, is_transactional=True)
    control = Draw(send_out.control_percentage, send_out.control_seed)
    return ResolutionRules(
        channel, audience, control=control, master=master if master is not None else current_master()
    )


def judged(
    rules: ResolutionRules,
    put: Parameters,
    window: str = "true",
    contacts: str = "contacts_contact c",
    *,
    is_chunk: bool = False,
) -> str:
    """The text of sql.JUDGED for these rules, about the contacts in `window`; `put` gets the values.

    `is_chunk`: what was made of the contacts before counts, rather than what would be made of them now.
    """
    address = ADDRESS[rules.channel]
    if is_chunk:
        is_copy = sql.IS_COPY_OF_BEFORE.format(address=address)
    else:
        is_copy = sql.IS_COPY.format(
            address=address, accepts=_accepts(rules, "o"), audience=f"({rules.audience.says('o', put)})"
        )
    return sql.JUDGED.format(
        # In a chunk the reason is used twice; a list wants its limit to reach down to the contacts.
        how="MATERIALIZED" if is_chunk else "NOT MATERIALIZED",
        address=address,
        is_blocked=(sql.IS_BLOCKED_OF_FEW if is_chunk else sql.IS_BLOCKED).format(alias="c", address=address),
        accepts=_accepts(rules, "c"),
        contacts=contacts,
        window=window,
        audience=f"({rules.audience.says('c', put)})",
        is_copy=is_copy,
        is_master=_is_master(rules.master, put),
        is_control=_is_drawn(rules.control, put),
        members=sql.NUMBERED if is_chunk else "members",
    )


def counts(rules: ResolutionRules) -> Counts:
    """Everybody counted; where that takes longer than a person waits for, an estimate."""
    try:
        return _counted(rules, LONG_PATIENCE_MS)
    except OperationalError:
        return _estimated(rules, *_how_many())


def live_counts(rules: ResolutionRules, *, is_few: bool = False) -> Counts:
    """For a page that is being filled in: soon rather than exact, and it says which of the two.

    `is_few`: the audience is known to be small, so that a sample would say little of it.
    """
    total, last = _how_many()
    if last <= SAMPLE:
        return _counted(rules, LONG_PATIENCE_MS)
    found = None if is_few else _estimated(rules, total, last)
    if found and found.audience * SAMPLE >= FEW * total:
        return found
    try:
        return _counted(rules, PATIENCE_MS)
    except OperationalError:
        return found or _estimated(rules, total, last)


def members(rules: ResolutionRules, outcome: str, before: int = LARGEST, limit: int = 51) -> list[int]:
    """The numbers of the contacts with this outcome, the newest first, below `before`."""
    put = Parameters()
    text = sql.MEMBERS.format(judged=judged(rules, put, "c.id < %(before)s"))
    with connection.cursor() as cursor:
        cursor.execute(text, put.values | {"outcome": outcome, "before": before, "limit": limit})
        return [pk for (pk,) in cursor.fetchall()]


def _counted(rules: ResolutionRules, patience_ms: int) -> Counts:
    """Raises OperationalError where it takes longer."""
    put = Parameters()
    text = sql.COUNT.format(judged=judged(rules, put))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(patience_ms)])
        cursor.execute(text, put.values)
        found = dict(cursor.fetchall())
        cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    return Counts(found)


def _estimated(rules: ResolutionRules, total: int, last: int) -> Counts:
    put = Parameters()
    text = sql.ESTIMATE.format(sample=sql.SAMPLE, judged=judged(rules, put, contacts="sampled c"))
    step = max(1, last // SAMPLE)
    with connection.cursor() as cursor:
        cursor.execute(text, put.values | {"sample": SAMPLE, "step": step})
        found = dict(cursor.fetchall())
    sampled = found.pop("") or 1
    return Counts({outcome: round(n * total / sampled) for outcome, n in found.items()}, is_estimate=True)


def _how_many() -> tuple[int, int]:
    """About how many contacts there are, and the greatest number among them."""
    with connection.cursor() as cursor:
        cursor.execute(sql.HOW_MANY)
        total, last = cursor.fetchone()
    return total or last, last


def _accepts(rules: ResolutionRules, alias: str) -> str:
    return "true" if rules.is_transactional else f"{alias}.accepts_{rules.channel.value}"


def _is_master(master: Master, put: Parameters) -> str:
    by_label = sql.HAS_LABEL.format(label=put(master.label)) if master.label else "false"
    return f"({by_label} OR {_is_drawn(master.draw, put)})"


def _is_drawn(draw: Draw, put: Parameters) -> str:
    return sql.IS_DRAWN.format(seed=put(draw.seed), bound=put(draw.bound)) if draw.percentage else "false"
