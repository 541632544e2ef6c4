"""What a mail server's answer comes to. Pure.

RFC 5321 4.2.1: 2xx taken, 4xx not now, 5xx not at all; what a 5xx means for the address is for bounces/ to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from messaging.bounces.classify import classify
from messaging.sendouts.handover.ways import repeat_id
from messaging.statuses import Caveat, Event, Kind

# How long after each attempt the next one follows: from minutes to hours. The last one repeats, until 72 hours after
# the first attempt the sweep gives up (statuses.GIVES_UP_AFTER).
SCHEDULE: Final = (
    timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2),
    timedelta(hours=4), timedelta(hours=6),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """The last word about one mail. `reply` 0: nobody answered, and `text` says why; `said_by` is the server's name."""

    reply: int
    text: str
    said_by: str = ""
    # It is the receiving server's word, not that of a relay which will try.
    is_final: bool = False
    # The server may have taken it, and we did not hear so.
    is_in_doubt: bool = False


def event_of(answer: Answer, message_id: int, attempt: int, provider: str, at: datetime) -> Event:
    """The event of attempt number `attempt` (from 1)."""
    named = repeat_id(message_id, attempt)
    if answer.is_in_doubt:
        return Event(
            provider, Kind.ACCEPTED, at, named, message_id,
            diagnostic=answer.text, said_by=answer.said_by, caveat=Caveat.IN_DOUBT,
        )  # fmt: skip
    if 200 <= answer.reply < 300:
        kind = Kind.DELIVERED if answer.is_final else Kind.ACCEPTED
        return Event(provider, kind, at, named, message_id, said_by=answer.said_by)
    verdict = classify(answer.text, reply_code=str(answer.reply) if answer.reply else "", said_by=answer.said_by)
    if answer.reply < 500 and not (answer.reply == 0 and verdict.is_hard):
        kind = Kind.DEFERRED
    else:
        kind = Kind.HARD_BOUNCE if verdict.is_hard else Kind.SOFT_BOUNCE
    return Event(
        provider, kind, at, named, message_id,
        reason=verdict.reason, reply_code=verdict.reply_code, status_code=verdict.status_code,
        diagnostic=answer.text, said_by=answer.said_by,
    )  # fmt: skip


def next_attempt(
    attempt: int, first_at: datetime, now: datetime, longest: timedelta, schedule: Sequence[timedelta] = SCHEDULE
) -> datetime | None:
    """When to try again after attempt number `attempt` was put off; None where that would be too late."""
    at = now + schedule[min(attempt, len(schedule)) - 1]
    return at if at < first_at + longest else None
