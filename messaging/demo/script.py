"""Reads the story and lays it out as scenes: who gets which message, when, and what comes of it. Pure."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, Self
from uuid import NAMESPACE_URL, UUID, uuid5

from contacts.models import Channel
from messaging.statuses import Status

FOLDER: Final = Path(__file__).parent
UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
# What takes longer than this is a person's doing, and so takes longer for one than for another.
HUMAN: Final = timedelta(minutes=10)
# A send-out hands over so many messages after each other.
PACE: Final = timedelta(milliseconds=300)


def span(text: str) -> timedelta:
    """`41d`, `20h`, `6m` or `3s`."""
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})


@dataclass(frozen=True, slots=True)
class Person:
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
        """The same on every installation: by it the demo knows its own people again."""
        return uuid5(NAMESPACE_URL, f"https://engage.example.org/demo/{self.name}")

    def has(self, channel: Channel) -> bool:
        return bool(self.email if channel == Channel.EMAIL else self.mobile)


@dataclass(frozen=True, slots=True)
class Line:
    """One report of a provider: when after sending, and its own fields as the provider names them."""

    after: timedelta
    said: dict[str, Any]
    is_later: bool

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        rest = {name: value for name, value in table.items() if name not in {"after", "later"}}
        return cls(span(table["after"]), rest, table.get("later", False))


@dataclass(frozen=True, slots=True)
class Plot:
    """What can become of a message; see plots.toml."""

    channel: Channel
    name: str
    ends: Status
    because: str
    lines: tuple[Line, ...]
    is_sent: bool
    opts_out: bool
    is_automatic: bool
    is_said_twice: bool
    gateway: str

    @classmethod
    def from_table(cls, channel: Channel, name: str, table: dict[str, Any]) -> Self:
        return cls(
            channel, name, Status(table["ends"]), table.get("because", ""),
            tuple(Line.from_table(line) for line in table.get("says", [])),
            is_sent=not table.get("not_sent", False), opts_out=table.get("opts_out", False),
            is_automatic=table.get("automatic", False), is_said_twice=table.get("twice", False),
            gateway=table.get("gateway", ""),
        )  # fmt: skip

    @property
    def closes_channel(self) -> bool:
        """Nothing is sent there any more: the address is blocked, or the person wants nothing."""
        return self.opts_out or self.ends == Status.HARD_BOUNCE


@dataclass(frozen=True, slots=True)
class Plan:
    """A send-out."""

    id: str
    channel: Channel
    name: str
    ago: str
    at: str = ""
    subject: str = ""
    reach: float = 0
    control: float = 0
    chances: str = ""

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
class Series:
    """Many single messages to one person."""

    who: str
    count: int
    every: timedelta
    ago: timedelta
    chances: str
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """One message to be, what comes of it, and when. `stretch` is how slow this person is."""

    person: Person
    plan: Plan | None
    subject: str
    plot: Plot
    sent_at: datetime
    is_after_meanwhile: bool
    stretch: float = 1

    def told_at(self, line: Line) -> datetime:
        return self.sent_at + (line.after * self.stretch if line.after >= HUMAN else line.after)


@dataclass(frozen=True, slots=True)
class Story:
    """All of it. `cast` is in the order of people.toml."""

    cast: dict[str, Person]
    plots: dict[tuple[Channel, str], Plot]
    plans: tuple[Plan, ...]
    cards: dict[str, Card]
    series: tuple[Series, ...]
    chances: dict[str, dict[str, int]]

    @property
    def last(self) -> Person:
        """Who is saved last, so that whoever finds them knows the demo to be whole."""
        return self.cast[next(reversed(self.cards))]

    def scenes(self, now: datetime) -> list[Scene]:
        """Every message, oldest first."""
        sent = [scene for person in self.cast.values() for scene in self._to(person, now)]
        return sorted(sent, key=lambda scene: scene.sent_at)

    def _to(self, person: Person, now: datetime) -> Iterator[Scene]:
        closed: set[Channel] = set()
        card, turn = self.cards.get(person.name), list(self.cast).index(person.name)
        for plan in self.plans:
            sent_at = plan.sent_at(now) + PACE * turn
            done = card.meanwhile if card and card.meanwhile and card.meanwhile.channel == plan.channel else None
            is_after = done is not None and sent_at > now - done.ago
            if is_after and done:
                (closed.add if done.does == "opt_out" else closed.discard)(plan.channel)
            chosen = None if plan.channel in closed or not person.has(plan.channel) else self._plot(person, plan, card)
            if chosen:
                plot, stretch = chosen
                yield Scene(person, plan, "", plot, sent_at, is_after, stretch)
                if plot.closes_channel:
                    closed.add(plan.channel)
        for series in self.series:
            if series.who == person.name:
                yield from self._series(person, series, now)

    def _plot(self, person: Person, plan: Plan, card: Card | None) -> tuple[Plot, float] | None:
        """What the card says, else what chance says; the same on every run."""
        if card and plan.id in card.gets:
            return self.plots[plan.channel, card.gets[plan.id]], 1
        chance = Random(f"{person.name} {plan.id}")  # noqa: S311 -- to be the same on every run
        if chance.random() >= plan.reach or (card and not card.is_quiet):
            return None
        if not card and chance.random() < plan.control:
            return self.plots[plan.channel, "control"], 1
        is_quiet = card is not None and plan.chances == "usual"
        return self._drawn(chance, plan.channel, "quiet" if is_quiet else plan.chances)

    def _drawn(self, chance: Random, channel: Channel, chances: str) -> tuple[Plot, float]:
        weights = self.chances[chances]
        (name,) = chance.choices(list(weights), list(weights.values()))
        return self.plots[channel, name], chance.uniform(0.4, 1.6)

    def _series(self, person: Person, series: Series, now: datetime) -> Iterator[Scene]:
        chance = Random(series.who)  # noqa: S311 -- as above
        for number in range(series.count):
            sent_at = (
                now - series.ago - series.every * (series.count - number) + timedelta(minutes=chance.randint(0, 300))
            )
            subject = series.subjects[number % len(series.subjects)].format(
                number=20_400 + number // len(series.subjects)
            )
            plot, stretch = self._drawn(chance, Channel.EMAIL, series.chances)
            yield Scene(person, None, subject, plot, sent_at, is_after_meanwhile=False, stretch=stretch)


@cache
def story() -> Story:
    people, told, plots = (_table(name) for name in ("people", "story", "plots"))
    return Story(
        cast={person.name: person for person in (Person(*line) for line in people["people"])},
        plots={
            (Channel(channel), name): Plot.from_table(Channel(channel), name, table)
            for channel, named in plots.items()
            for name, table in named.items()
        },
        plans=tuple(Plan(**table | {"channel": Channel(table["channel"])}) for table in told["send_out"]),
        cards={table["who"]: Card.from_table(table) for table in told["card"]},
        series=tuple(
            Series(
                table["who"], table["count"], span(table["every"]), span(table["ago"]), table["chances"],
                tuple(table["subjects"]),
            )
            for table in told["series"]
        ),
        chances=told["chances"],
    )  # fmt: skip


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
