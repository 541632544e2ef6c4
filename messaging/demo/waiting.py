"""Waiting for the workers: until nothing is left to do, with a word to them now and then, and not for ever."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from engage.wake import send

# Without any progress for so long, nobody works.
PATIENCE_SECONDS: Final = 300
LOOK_SECONDS: Final = 0.05
# How often workers are reminded of what is to do: the beat would do so every few seconds.
REMIND_SECONDS: Final = 0.2
# Ever less often while nothing moves: on a busy machine reminders would pile up, and all else behind them.
LONGEST_REMIND_SECONDS: Final = 5.0
# What can be left to do, as the error says it.
ROWS: Final = "send-outs without all of their messages"
HAND_OVER: Final = "send-outs to hand over"
RETRIES: Final = "messages to try again"
IN_HAND: Final = "messages in hand"
OVERDUE: Final = "messages to give up on"
INBOX: Final = "reports to apply"
UNHEARD: Final = "answers to come"
# What has a worker do it at once (Celery tasks). What a worker has in hand, it ends by itself.
TASKS: Final[Mapping[str, Any]] = {
    ROWS: "messaging.tasks.tend_send_outs",
    HAND_OVER: "messaging.tasks.tend_send_outs",
    RETRIES: "messaging.tasks.try_again",
    OVERDUE: "messaging.tasks.sweep_due",
    INBOX: "messaging.tasks.apply_reports",
    UNHEARD: "messaging.tasks.apply_reports",
}
STUCK: Final = (
    "Nothing has moved for {seconds} seconds, and there is still to do: {left}. No worker seems to be running, or it "
    "is stuck. Start everything with 'make run', then repeat this command; it begins afresh."
)


class DemoError(Exception):
    """What went wrong, and what to do about it, for whoever typed the command."""


def wait(left: Callable[[], Mapping[str, int]]) -> None:
    """Until nothing is `left`, by what it is (above). Raises DemoError where nothing moves.

    Raises OperationalError (kombu) where the broker is away.
    """
    before, deadline, remind_at = left(), time.monotonic() + PATIENCE_SECONDS, 0.0
    pause = REMIND_SECONDS
    while any(before.values()):
        if time.monotonic() > deadline:
            told = ", ".join(f"{count} {what}" for what, count in before.items() if count)
            raise DemoError(STUCK.format(seconds=PATIENCE_SECONDS, left=told))
        if time.monotonic() > remind_at:
            for task in {TASKS[what] for what, count in before.items() if count and what in TASKS}:
                send(task)
            remind_at = time.monotonic() + pause
            pause = min(pause * 2, LONGEST_REMIND_SECONDS)
        time.sleep(LOOK_SECONDS)
        now = left()
        if now != before:
            before, deadline, pause = now, time.monotonic() + PATIENCE_SECONDS, REMIND_SECONDS
