"""How far a send-out is, how fast it goes, and how long it will take."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from contacts.models import Channel
from messaging.sendouts.models import Progress, SendOut, State
from messaging.sendouts.totals import Totals, totals_of
from messaging.status.order import GIVES_UP_AFTER

# A rate is of the last minute: a mark every few seconds, and so many of them.
MARKS: Final = 12
# Less than this is no base for a rate, seconds.
SHORTEST: Final = 2.0


@dataclass(frozen=True, slots=True)
class WorkRate:
    """One thing that is being done: how much of how much, how many a second, and how long it takes at that rate."""

    done: int
    of: int
    per_second: float | None = None

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.done / self.of) if self.of else 0.0

    @property
    def left(self) -> timedelta | None:
        """None where nothing moves, or nobody knows yet."""
        return timedelta(seconds=(self.of - self.done) / self.per_second) if self.per_second else None


def seconds_to_news(send_out: SendOut, now: datetime | None = None) -> int:
    """How soon its page asks for news; 0: no more. Done means handed over: what became of it is heard afterwards."""
    if send_out.state == State.SENDING:
        return 2
    if send_out.started_at is None:
        return 10 if send_out.state == State.SCHEDULED else 0
    is_recent = (now or timezone.now()) - send_out.started_at < GIVES_UP_AFTER[Channel(send_out.channel)]
    return 10 if is_recent else 0


@dataclass(frozen=True, slots=True)
class SendOutProgress:
    """Both halves of the work: looking at contacts and making rows; handing messages over."""

    looking: WorkRate
    handing: WorkRate
    are_rows_done: bool


def standing_of(progress: Progress, totals: Totals, now: float | None = None) -> SendOutProgress:
    """`now`: seconds since 1970."""
    moment = time.time() if now is None else now
    looked, handed = progress.after, totals.handed_over
    rates = _rates(progress, moment, looked, handed)
    return SendOutProgress(
        WorkRate(looked if progress.rows_done_at is None else progress.until, progress.until, rates[0]),
        WorkRate(handed, totals.sent_to, rates[1]),
        progress.rows_done_at is not None,
    )


def mark_all() -> dict[int, int]:
    """Note how far each send-out at work is. Called every few seconds. Returns how many of each were handed over."""
    at_work = list(Progress.objects.filter(send_out__state=State.SENDING))
    totals = totals_of([each.pk for each in at_work])
    for each in at_work:
        mark = [round(time.time(), 1), each.after, totals[each.pk].handed_over]
        # A pause that came meanwhile has emptied the marks; then this one is left out.
        Progress.objects.filter(pk=each.pk, marks=each.marks).update(marks=[*each.marks, mark][-MARKS:])
    return {each.pk: totals[each.pk].handed_over for each in at_work}


def _rates(progress: Progress, now: float, looked: int, handed: int) -> tuple[float | None, float | None]:
    if not progress.marks:
        return None, None
    at, looked_then, handed_then = progress.marks[0]
    seconds = now - at
    if seconds < SHORTEST:
        return None, None
    return max(0.0, (looked - looked_then) / seconds) or None, max(0.0, (handed - handed_then) / seconds) or None
