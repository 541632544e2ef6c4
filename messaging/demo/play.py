"""Plays the story from the first contact to the last report, and watches that a worker applies it all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import requests
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from messaging import tasks
from messaging.demo import cast, outcome, stage
from messaging.demo.post import Providers, UnexpectedAnswerError, tell
from messaging.demo.script import story
from messaging.demo.stage import Part
from messaging.models import Message, Report, SendOut

# Without any progress for so long, nobody works.
PATIENCE_SECONDS: Final = 30
LOOK_SECONDS: Final = 0.1
OTHER_KEYS: Final = (
    "It seems to run with other keys or another PUBLIC_URL than this command. Run both with the same environment; "
    "where 'make run' runs, 'manage.py demo' finds them by itself."
)
NO_WORKER: Final = (
    "No worker seems to be running: for {seconds} seconds nobody has applied a report. Start everything with "
    "'make run', then repeat this command; it begins afresh."
)


class DemoError(Exception):
    """What went wrong, and what to do about it, for whoever typed the command."""


@dataclass(slots=True)
class Play:
    """One performance. `say` prints a line; `show` may overwrite its last one."""

    providers: Providers
    say: Callable[[str], None]
    show: Callable[[str], None]
    now: datetime = field(default_factory=timezone.now)
    parts: list[Part] = field(default_factory=list)
    send_outs: dict[str, SendOut] = field(default_factory=dict)
    last_report: int = 0

    def run(self) -> None:
        """Raises DemoError where it cannot go on, or where something came out otherwise than the story tells."""
        self.last_report = _last_report()
        try:
            self._play()
        except requests.RequestException as error:
            raise DemoError(
                f"The web server at {self.providers.url} stopped answering ({type(error).__name__})."
            ) from error
        except UnexpectedAnswerError as error:
            raise DemoError(f"{error} {OTHER_KEYS}") from error
        self._check()
        cast.enter(story().last, self.now)

    def _play(self) -> None:
        self.providers.post_forgeries()
        self.say("  Forged reports: 2 posted, both refused (403)")
        self._enter()
        self._act(is_second=False)
        self._wait_for_giving_up()
        stage.say_untraceable(self.parts)
        stage.act_meanwhile(story().cards.values(), self.now)
        late_from = timezone.now()
        self._act(is_second=True)
        stage.set_back_events(self.parts, late_from)
        stage.set_back_changes()

    def _enter(self) -> None:
        people = [person for person in story().cast.values() if person != story().last]
        with transaction.atomic():  # one commit instead of hundreds
            for person in people:
                cast.enter(person, self.now)
        self.send_outs = stage.make_send_outs(story().plans, self.now)
        self.say(f"  Contacts: {len(people) + 1}; send-outs: {len(self.send_outs)}")

    def _act(self, *, is_second: bool) -> None:
        """Hand messages over and let the providers report. In the second act, also what they were late with."""
        scenes = [scene for scene in story().scenes(self.now) if scene.is_after_meanwhile == is_second]
        earlier, new = list(self.parts), stage.hand_over(scenes, self.send_outs)
        self.parts += new
        self._tell(new, later=False)
        if is_second:
            self._tell([*earlier, *new], later=True)
            self.providers.post_strange()
        self._wait_for_worker("Later reports" if is_second else "Reports")

    def _tell(self, parts: Sequence[Part], *, later: bool) -> None:
        for posted in tell(self.providers, parts, self.now, later=later):
            self.show(f"  Reports posted: {posted}")

    def _wait_for_worker(self, what: str) -> None:
        """Until none of the reports of this act is new any more."""
        ours = Report.objects.filter(pk__gt=self.last_report)
        if not ours.exists():
            raise DemoError(f"{self.providers.url} took the reports, but not into the database of this command.")
        posted = ours.count()

        def left() -> int:
            return ours.filter(state=Report.State.NEW).count()

        self._wait(left, lambda count: f"  {what}: {posted - count} of {posted} applied")
        self.last_report = _last_report()

    def _wait_for_giving_up(self) -> None:
        """Have the worker give up on what is overdue, as the clock of `make run` has it every minute."""
        try:
            tasks.sweep_due.delay()
        except OperationalError as error:
            raise DemoError(f"The broker of REDIS_URL cannot be reached: {error}") from error
        ids = [part.message.pk for part in self.parts]
        overdue = Message.objects.filter(Q(due_at__lte=timezone.now()), pk__in=ids)
        self._wait(overdue.count, lambda count: f"  Overdue messages to give up on: {count or 'done'}")

    def _wait(self, left: Callable[[], int], words: Callable[[int], str]) -> None:
        best, deadline = left(), time.monotonic() + PATIENCE_SECONDS
        while best:
            self.show(words(best))
            if time.monotonic() > deadline:
                raise DemoError(NO_WORKER.format(seconds=PATIENCE_SECONDS))
            time.sleep(LOOK_SECONDS)
            count = left()
            if count < best:
                best, deadline = count, time.monotonic() + PATIENCE_SECONDS
        self.say(words(0))

    def _check(self) -> None:
        wrong = outcome.mismatches(self.parts)
        if wrong:
            told = "\n".join(f"  {words}" for words in wrong[:20])
            raise DemoError(f"{len(wrong)} things came out otherwise than the story tells:\n{told}")


def _last_report() -> int:
    return Report.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
