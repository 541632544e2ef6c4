"""Plays the story from the first contact to the last report: each send-out at its time, one after the other.

Send-outs are written and started as on the pages, handed over by the running workers to the try-out receivers, and what
comes of them comes back by the real ways. In between the time is moved on (clock.py), and it is waited until nothing
more is to be done at that time: so what was first in the story is first here, and blocks, consents and signs of life
come about in the order in which they would have.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

import requests
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from messaging.demo import cast, clock, desk, outcome
from messaging.demo.clock import BusyError
from messaging.demo.outcome import ScenePart
from messaging.demo.post import PlotLine, Providers, UnexpectedAnswerError
from messaging.demo.script import Fate, Meanwhile, Plan, Scene, span, story
from messaging.demo.waiting import HAND_OVER, IN_HAND, INBOX, OVERDUE, RETRIES, ROWS, UNHEARD, DemoError, wait
from messaging.models import DeliveryEvent, Message, Report, SendOut
from messaging.sendouts.models import State
from messaging.status.order import GIVES_UP_AFTER, OPEN_STATUSES, Kind, Status

# After each send-out the time stops here, so that people open, and attempts are made again, by and by.
STOPS: Final = tuple(map(span, ("6m", "1h", "3h", "6h", "20h")))
# A send-out takes a moment to hand over; what is to follow after an hour is due then for all of it.
SLACK: Final = timedelta(minutes=1)
# By what one knows that a deed has been heard of.
HEARD: Final = {
    "open": {Kind.OPENED}, "apple": {Kind.OPENED}, "click": {Kind.CLICKED},
    "unsubscribe": {Kind.UNSUBSCRIBED}, "answer": {Kind.UNSUBSCRIBED}, "complaint": {Kind.COMPLAINED},
    "bounce": {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE},
    "receipt": {
        Kind.DELIVERED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.FAILED, Kind.EXPIRED, Kind.UNTRACEABLE,
    },
}  # fmt: skip
OTHER_KEYS: Final = (
    "It seems to run with other keys or another PUBLIC_URL than this command. Run both with the same environment; "
    "where 'make run' runs, 'manage.py demo' finds them by itself."
)


class DeskEntry(NamedTuple):
    """Something that people at Engage do at a time of the story; empty: it is only seen what has come by then."""

    at: datetime
    happens: Callable[[], None] | None = None


@dataclass(slots=True)
class Play:
    """One performance. `say` prints a line; `show` may overwrite its last one."""

    providers: Providers
    say: Callable[[str], None]
    show: Callable[[str], None]
    now: datetime = field(default_factory=timezone.now)
    parts: list[ScenePart] = field(default_factory=list)
    # Those of which something is still to be heard, and what was posted of each.
    open_parts: list[ScenePart] = field(default_factory=list)
    told: set[tuple[int, int]] = field(default_factory=set)
    send_outs: dict[str, SendOut] = field(default_factory=dict)
    # How far the story's present lies behind ours.
    behind: timedelta = timedelta()

    def run(self) -> None:
        """Raises DemoError where it cannot go on, or where something came out otherwise than the story tells."""
        try:
            self._play()
        except requests.RequestException as error:
            raise DemoError(
                f"The web server at {self.providers.url} stopped answering ({type(error).__name__})."
            ) from error
        except UnexpectedAnswerError as error:
            raise DemoError(f"{error} {OTHER_KEYS}") from error
        except OperationalError as error:
            raise DemoError(f"The broker of REDIS_URL cannot be reached: {error}") from error
        self._check()
        cast.enter([story().last], 0)

    def _play(self) -> None:
        self.providers.post_forgeries()
        self.say("  Forged reports: 2 posted, both refused (403)")
        self.providers.post_strange()
        self.say("  Reports about nobody's message: 2, and one that breaks off")
        self._enter()
        for entry in sorted(self._agenda(), key=lambda each: each.at):
            self._go_to(entry.at)
            if entry.happens:
                entry.happens()
            self._settle()
        self._go_to(timezone.now())
        self._settle()
        self._tell(is_later=True)
        self._settle()
        clock.count_outcomes(self._world())
        self.say(f"  {len(self.parts)} messages, from {story().plans[0].ago} ago until now")

    def _enter(self) -> None:
        people = [person for person in story().cast.values() if person != story().last]
        self.behind = self.now - min(plan.sent_at(self.now) for plan in story().plans)
        with transaction.atomic():  # one commit instead of hundreds
            cast.enter(people, self.behind.days)
        self.say(f"  Contacts: {len(people) + 1}; send-outs: {len(story().plans)}")

    def _agenda(self) -> Iterator[DeskEntry]:
        """What happens when, in no order. A stop at which nothing new can come is no entry."""
        scenes = story().scenes(self.now)
        for plan in story().plans:
            sent_at = plan.sent_at(self.now)
            mine = [scene for scene in scenes if scene.plan == plan]
            yield DeskEntry(sent_at, partial(self._send, plan, mine))
            yield from (DeskEntry(sent_at + stop) for stop in stops(plan, mine) if sent_at + stop < self.now)
        for card in story().cards.values():
            if done := card.meanwhile:
                yield DeskEntry(self.now - done.ago, partial(self._act, card.who, done))

    # What happens.

    def _send(self, plan: Plan, scenes: Sequence[Scene]) -> None:
        self.show(f"  {plan.sent_at(self.now):%d %B}: {plan.name}")
        people, actor = cast.contacts(), desk.actors()["marketer"]
        in_control = {scene.person.name for scene in scenes if scene.plot.left == "control"}
        kept_out = {scene.person.name for scene in scenes if scene.person.name in story().cards} - in_control
        control = desk.draw(plan.control, *([people[name].pk for name in names] for names in (in_control, kept_out)))
        invited = [people[person.name] for person in story().invited(plan, self.now)]
        made = self.send_outs[plan.id] = desk.write(plan, invited, control, actor)
        if any(scene.plot.left == "waiting" for scene in scenes):
            desk.start_and_pause(made, actor)
        else:
            desk.start(made, actor)
        wait(lambda: self._unmade(made))
        by_contact = {message.contact_id: message for message in Message.objects.filter(send_out=made)}
        if self._has_time_to_come(plan) and plan.id not in story().orders.mails:
            self._order()
        self._follow([ScenePart(scene, by_contact[people[scene.person.name].pk]) for scene in scenes])

    def _act(self, who: str, done: Meanwhile) -> None:
        desk.act(cast.contacts()[who], done)

    def _has_time_to_come(self, plan: Plan) -> bool:
        """Whatever is sent with it is through by the end."""
        return plan.sent_at(self.now) + STOPS[-1] < self.now

    def _order(self) -> None:
        """Somebody who orders a lot gets the shop's mails once more."""
        for part in list(self.parts):
            if part.scene.plan.id in story().orders.mails and part.message.send_out_id:
                self._follow([ScenePart(part.scene, desk.send_again(part.message))])

    def _follow(self, parts: Sequence[ScenePart]) -> None:
        self.parts += parts
        self.open_parts += [part for part in parts if part.message.status != Status.CONTROL_GROUP]

    def _tell(self, *, is_later: bool) -> None:
        """Post what the providers say by now, or what they were late with."""
        said = [
            PlotLine(message.sent_at + line.after, message, number, line)
            for part in (self.parts if is_later else self.open_parts)
            for number, line in enumerate(part.scene.plot.lines)
            if line.is_later == is_later and (part.message.pk, number) not in self.told
            for message in Message.objects.select_related("address").filter(pk=part.message.pk)
            if message.sent_at and message.sent_at + line.after <= timezone.now()
        ]
        if said:
            self.providers.tell(said)
        self.told |= {(each.message.pk, each.number) for each in said}

    # The time.

    def _go_to(self, at: datetime) -> None:
        present = timezone.now() - self.behind
        if at > present:
            self._pass(at - present)
            self.behind -= at - present

    def _pass(self, by: timedelta) -> None:
        while True:
            try:
                clock.pass_time(self._world(), by)
            except BusyError:
                wait(self._left)
            else:
                return

    def _world(self) -> clock.World:
        return clock.world_of(cast.contacts().values(), [made.pk for made in self.send_outs.values()])

    # Waiting.

    def _settle(self) -> None:
        """Until all is done that is to be done at this time of the story."""
        self._tell(is_later=False)
        wait(self._left)
        self._close()

    def _unmade(self, made: SendOut) -> dict[str, int]:
        is_done = SendOut.objects.filter(pk=made.pk, progress__rows_done_at__isnull=False).exists()
        is_paused = SendOut.objects.filter(pk=made.pk, state=State.PAUSED).exists()
        return {} if is_done or is_paused else {ROWS: 1}

    def _left(self) -> dict[str, int]:
        """What is still to be done at this time, by what it is."""
        ours = Message.objects.filter(contact__in=[contact.pk for contact in cast.contacts().values()])
        numbers = list(ours.filter(status__in=OPEN_STATUSES).values_list("pk", flat=True))
        now = timezone.now()
        sending = SendOut.objects.filter(pk__in=[each.pk for each in self.send_outs.values()], state=State.SENDING)
        return {
            HAND_OVER: sending.count(),
            RETRIES: ours.filter(next_attempt_at__lte=now).count(),
            IN_HAND: clock.in_hand(numbers),
            OVERDUE: ours.filter(due_at__lte=now).count(),
            INBOX: Report.objects.filter(state=Report.State.NEW).count(),
            UNHEARD: sum(self._unheard(now).values()),
        }

    def _unheard(self, now: datetime) -> Counter[int]:
        """By message, what its person has done by now, and nobody has heard of yet."""
        sent = self._sent()
        heard = Counter(DeliveryEvent.objects.filter(message__in=list(sent)).values_list("message", "kind"))
        found = Counter[int]()
        for scene, message in self.open_parts:
            age = now - sent[message.pk] if message.pk in sent else timedelta()
            done = Counter(deed.what for deed in scene.plot.deeds if scene.fate.due(deed.after) <= age)
            for kinds, count in _expected(done).items():
                found[message.pk] += max(0, count - sum(heard[message.pk, kind] for kind in kinds))
        return found

    def _sent(self) -> dict[int, datetime]:
        numbers = [part.message.pk for part in self.open_parts]
        sent = Message.objects.filter(pk__in=numbers).values_list("pk", "sent_at")
        return {pk: sent_at for pk, sent_at in sent if sent_at is not None}

    def _close(self) -> None:
        """Of some messages nothing more will be heard, as far as the story goes."""
        now, sent = timezone.now(), self._sent()
        unheard = self._unheard(now)
        self.open_parts = [
            part
            for part in self.open_parts
            if part.message.pk not in sent
            or unheard[part.message.pk]
            or self._untold(part)
            or any(sent[part.message.pk] + after > now for after in _afters(part.scene.fate))
        ]

    def _untold(self, part: ScenePart) -> bool:
        lines = enumerate(part.scene.plot.lines)
        return any(not line.is_later and (part.message.pk, number) not in self.told for number, line in lines)

    def _check(self) -> None:
        wrong = outcome.mismatches(self.parts)
        if wrong:
            told = "\n".join(f"  {words}" for words in wrong[:20])
            raise DemoError(f"{len(wrong)} things came out otherwise than the story tells:\n{told}")


def stops(plan: Plan, scenes: Iterable[Scene]) -> Iterator[timedelta]:
    """How long after a send-out something new can have come: a deed, a report, another attempt, our giving up."""
    fates = [scene.fate for scene in scenes]
    afters = [after for fate in fates for after in _afters(fate)]
    is_put_off = any(answer.startswith("4") for fate in fates for answer in fate.plot.answers)
    before = timedelta()
    for stop in STOPS:
        if is_put_off or any(before < after <= stop for after in afters):
            yield stop + SLACK
        before = stop
    if any(fate.plot.gives_up for fate in fates):
        yield GIVES_UP_AFTER[plan.channel] + SLACK


def _expected(done: Counter[str]) -> Counter[frozenset[Kind]]:
    """How many events of which kinds tell of these deeds."""
    found = Counter[frozenset[Kind]]()
    for what, count in done.items():
        found[frozenset(HEARD[what])] += count
    return found


def _afters(fate: Fate) -> list[timedelta]:
    """How long after sending something is to be heard."""
    lines = [line.after for line in fate.plot.lines if not line.is_later]
    return [fate.due(deed.after) for deed in fate.plot.deeds] + lines
