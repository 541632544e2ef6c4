"""Reads the story and lays it out as scenes: who gets which message, when, and what comes of it. Pure."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, Self
from uuid import NAMESPACE_URL, UUID, uuid5

from contacts.models import Channel
from messaging.status.order import Status

FOLDER: Final = Path(__file__).parent
UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
# What takes longer than this is a person's doing, and so takes longer for one than for another.
HUMAN: Final = timedelta(minutes=10)


def span(text: str) -> timedelta:
    """`41d`, `20h`, `6m` or `3s`."""
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})


@dataclass(frozen=True, slots=True)
class CastMember:
    """One line of people.toml."""

    first_name: str
    last_name: str
    email: str
    mobile: str
    country: str
    language: str
    joined_days_ago: int

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def guid(self) -> UUID:
        """By this the demo knows its own people again: it is the same on every installation."""
        return uuid5(NAMESPACE_URL, f"https://engage.example.org/demo/{self.name}")

    def has(self, channel: Channel) -> bool:
        return bool(self.email if channel == Channel.EMAIL else self.mobile)


@dataclass(frozen=True, slots=True)
class Deed:
    """What the receiving side does with a message it took, and how long after its sending."""

    after: timedelta
    what: str
    words: str = ""
    state: str = ""
    error: int = 0

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        return cls(**table | {"after": span(table["after"])})


@dataclass(frozen=True, slots=True)
class ScriptedReport:
    """One report of a provider: when after sending, and its own fields as the provider names them."""

    after: timedelta
    said: dict[str, Any]
    is_later: bool
    is_said_twice: bool

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        rest = {name: value for name, value in table.items() if name not in {"after", "later", "twice"}}
        return cls(span(table["after"]), rest, table.get("later", False), table.get("twice", False))


@dataclass(frozen=True, slots=True)
class Plot:
    """What can become of a message; see plots.toml."""

    channel: Channel
    name: str
    ends: Status
    because: str
    answers: tuple[str, ...]
    deeds: tuple[Deed, ...]
    lines: tuple[ScriptedReport, ...]
    left: str
    gives_up: bool
    opts_out: bool
    is_automatic: bool

    @classmethod
    def from_table(cls, channel: Channel, name: str, table: dict[str, Any]) -> Self:
        return cls(
            channel, name, Status(table["ends"]), table.get("because", ""), tuple(table.get("answers", ())),
            tuple(Deed.from_table(deed) for deed in table.get("does", ())),
            tuple(ScriptedReport.from_table(line) for line in table.get("says", ())),
            left=table.get("left", ""), gives_up=table.get("gives_up", False),
            opts_out=table.get("opts_out", False), is_automatic=table.get("automatic", False),
        )  # fmt: skip

    @property
    def closes_channel(self) -> bool:
        """Nothing is sent there any more: the address is blocked, or the person wants nothing."""
        return self.opts_out or self.ends == Status.HARD_BOUNCE

    def answer(self, attempt: int) -> str:
        """How the mail server answers, from the first attempt (1) on; empty: it takes the mail."""
        return self.answers[min(attempt, len(self.answers)) - 1] if self.answers else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A send-out."""

    id: str
    channel: Channel
    name: str
    ago: str
    audience: str
    text: str
    at: str = ""
    subject: str = ""
    reach: float = 0
    control: int = 0
    chances: str = ""
    is_transactional: bool = False

    def sent_at(self, now: datetime) -> datetime:
        day = now - span(self.ago)
        return datetime.combine(day, time.fromisoformat(self.at), day.tzinfo) if self.at else day


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What a person here does between two messages: `lift`, `correct` or `opt_out`."""

    does: str
    channel: Channel
    ago: timedelta
    by: str
    why: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A contact card worth looking at, and what there is to see: on a tab, or on the page of a message (`opens`)."""

    who: str
    look: str
    tab: str = "messages"
    opens: str = ""
    is_quiet: bool = True
    gets: dict[str, str] = field(default_factory=dict)
    meanwhile: Meanwhile | None = None

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        if done := table.get("meanwhile"):
            done = Meanwhile(**done | {"channel": Channel(done["channel"]), "ago": span(done["ago"])})
        return cls(**table | {"meanwhile": done})


@dataclass(frozen=True, slots=True)
class Orders:
    """Somebody who orders a lot, and the send-outs whose mails are sent again each time."""

    who: str
    mails: tuple[str, ...]


class Fate(NamedTuple):
    """What comes of a message, and how slow its person is."""

    plot: Plot
    stretch: float = 1

    def due(self, after: timedelta) -> timedelta:
        """How long after sending this person does what others do after `after`."""
        return after * self.stretch if after >= HUMAN else after


@dataclass(frozen=True, slots=True)
class Scene:
    """One message to be, when, and what comes of it."""

    person: CastMember
    plan: Plan
    fate: Fate
    sent_at: datetime
    is_after_meanwhile: bool

    @property
    def plot(self) -> Plot:
        return self.fate.plot


@dataclass(frozen=True, slots=True)
class Story:
    """All of it. `cast` is in the order of people.toml."""

    cast: dict[str, CastMember]
    plots: dict[tuple[Channel, str], Plot]
    plans: tuple[Plan, ...]
    cards: dict[str, Card]
    orders: Orders
    chances: dict[str, dict[str, int]]

    @property
    def last(self) -> CastMember:
        """Who is saved last, so that whoever finds them knows the demo to be whole."""
        return self.cast[next(reversed(self.cards))]

    def scenes(self, now: datetime) -> list[Scene]:
        """Every message of a send-out, oldest first."""
        sent = [scene for person in self.cast.values() for scene, is_open in self._to(person, now) if is_open]
        return sorted(sent, key=lambda scene: scene.sent_at)

    def invited(self, plan: Plan, now: datetime) -> list[CastMember]:
        """Who stands on its list: those who get it, and those who would if they were not blocked or unsubscribed."""
        return [
            person
            for person in self.cast.values()
            if any(scene.plan == plan for scene, _is_open in self._to(person, now))
        ]

    def _to(self, person: CastMember, now: datetime) -> Iterator[tuple[Scene, bool]]:
        """What a person is meant to get, oldest first, and whether it may be sent."""
        closed: set[Channel] = set()
        card = self.cards.get(person.name)
        for plan in sorted(self.plans, key=lambda each: each.sent_at(now)):
            sent_at = plan.sent_at(now)
            done = card.meanwhile if card and card.meanwhile and card.meanwhile.channel == plan.channel else None
            is_after = done is not None and sent_at > now - done.ago
            if is_after and done:
                (closed.add if done.does == "opt_out" else closed.discard)(plan.channel)
            fate = self.fate(person, plan)
            if fate is None:
                continue
            is_open = plan.channel not in closed
            yield Scene(person, plan, fate, sent_at, is_after), is_open
            if is_open and fate.plot.closes_channel:
                closed.add(plan.channel)

    def fate(self, person: CastMember, plan: Plan) -> Fate | None:
        """What the card says, else what chance says, the same on every run; None: nothing is sent."""
        card = self.cards.get(person.name)
        if not person.has(plan.channel):
            return None
        if card and plan.id in card.gets:
            return Fate(self.plots[plan.channel, card.gets[plan.id]])
        chance = Random(f"{person.name} {plan.id}")  # noqa: S311 -- to be the same on every run
        if chance.random() >= plan.reach or (card and not card.is_quiet):
            return None
        weights = self.chances["quiet" if card is not None and plan.chances == "usual" else plan.chances]
        (name,) = chance.choices(list(weights), list(weights.values()))
        return Fate(self.plots[plan.channel, name], chance.uniform(0.4, 1.6))


@cache
def story() -> Story:
    people, told, plots = (_table(name) for name in ("people", "story", "plots"))
    orders = told["orders"]
    return Story(
        cast={person.name: person for person in (CastMember(*line) for line in people["people"])},
        plots={
            (Channel(channel), name): Plot.from_table(Channel(channel), name, table)
            for channel, named in plots.items()
            for name, table in named.items()
        },
        plans=tuple(Plan(**table | {"channel": Channel(table["channel"])}) for table in told["send_out"]),
        cards={table["who"]: Card.from_table(table) for table in told["card"]},
        orders=Orders(orders["who"], tuple(orders["mails"])),
        chances=told["chances"],
    )  # fmt: skip


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
