"""What the answer of a mail server or a provider comes to. Pure.

RFC 5321 4.2.1: 2xx taken, 4xx not now, 5xx not at all; what a 5xx means for the address is for bounces/ to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from messaging.bounces.classify import classify
from messaging.bounces.reasons import OUTCOME_UNKNOWN
from messaging.bounces.ways import NO_WAY, is_only_unrouteable
from messaging.delivery.away import AwayCause
from messaging.delivery.transport import idempotency_key
from messaging.status.order import Caveat, Event, Kind

# How long after each attempt the next one follows: from minutes to hours. The last one repeats, until 72 hours after
# the first attempt the sweep gives up (statuses.GIVES_UP_AFTER).
SCHEDULE: Final = (
    timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2),
    timedelta(hours=4), timedelta(hours=6),
)  # fmt: skip
# Of SMS until 48 hours are over: the gateway wants a pause, or has a fault, and both are over soon as a rule.
SMS_SCHEDULE: Final = (
    timedelta(seconds=10), timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5),
    timedelta(minutes=10), timedelta(minutes=30),
)  # fmt: skip
# Why nobody answered.
NETWORK: Final = "network"


@dataclass(frozen=True, slots=True)
class MailAnswer:
    """The last word about one mail. `reply` 0: nobody answered, and `text`, which is ours, says why; `said_by` is the
    server's name."""

    reply: int
    text: str
    said_by: str = ""
    # It is the receiving server's word, not that of a relay which will try.
    is_final: bool = False
    # The server may have taken it, and we did not hear so.
    is_outcome_unknown: bool = False
    # Who is no mail server says itself what it comes to: `kind`, and a reason where the words tell none.
    kind: Kind | None = None
    reason: str = ""
    # Under which number the provider has taken it.
    provider_message_id: str = ""
    # It never left: it goes on waiting, no attempt is counted, and nothing is recorded.
    is_untried: bool = False
    # We are refused, whomever we write to: a wrong key, an unverified sender. Somebody has to look.
    refuses_us: bool = False
    # Nobody was asked about the recipient, as this was in the way: it says nothing about the address.
    cause: AwayCause | None = None
    # The server refused the sender, before anybody was named.
    is_about_sender: bool = False
    # For how long they want to be left alone, seconds, where they said so.
    wait: float = 0


def event_of(answer: MailAnswer, message_id: int, attempt: int, provider: str, at: datetime) -> Event:
    """The event of attempt number `attempt` (from 1)."""
    named, accepted = idempotency_key(message_id, attempt), accepted_at(attempt)
    if answer.is_outcome_unknown:
        return Event(
            provider, accepted, at, named, message_id, reason=OUTCOME_UNKNOWN,
            diagnostic=answer.text, said_by=answer.said_by, caveat=Caveat.OUTCOME_UNKNOWN,
        )  # fmt: skip
    if answer.kind is not None:
        event = _said_by_provider(answer, message_id, named, provider, at)
        return replace(event, kind=accepted) if event.kind == Kind.ACCEPTED else event
    if 200 <= answer.reply < 300:
        kind = Kind.DELIVERED if answer.is_final else accepted
        return Event(provider, kind, at, named, message_id, said_by=answer.said_by)
    if answer.reply == 0:
        # Our own words are not judged as if they were a server's.
        return Event(
            provider, Kind.DEFERRED, at, named, message_id,
            reason=NETWORK, diagnostic=answer.text, said_by=answer.said_by,
        )  # fmt: skip
    verdict = classify(answer.text, reply_code=str(answer.reply), said_by=answer.said_by)
    if verdict.is_hard and not answer.is_final and is_only_unrouteable(answer.text):
        verdict = verdict._replace(reason=NO_WAY, is_hard=False)
    is_hard = verdict.is_hard and not answer.is_about_sender
    kind = Kind.DEFERRED if answer.reply < 500 else Kind.HARD_BOUNCE if is_hard else Kind.SOFT_BOUNCE
    reason = "sender_rejected" if verdict.is_hard and answer.is_about_sender else verdict.reason
    return Event(
        provider, kind, at, named, message_id,
        reason=reason, reply_code=verdict.reply_code, status_code=verdict.status_code,
        diagnostic=answer.text, said_by=answer.said_by, certainty=verdict.certainty,
    )  # fmt: skip


def accepted_at(attempt: int) -> Kind:
    """The kind of event for a message that a relay or a provider took at this attempt."""
    return Kind.ACCEPTED if attempt <= 1 else Kind.TAKEN


def _said_by_provider(answer: MailAnswer, message_id: int, named: str, provider: str, at: datetime) -> Event:
    """Never a hard bounce: it is no mail server that speaks of its own mailbox."""
    kind = answer.kind or Kind.ACCEPTED
    reason = "" if kind == Kind.ACCEPTED else answer.reason or classify(answer.text).reason
    return Event(
        provider, kind, at, named, message_id, provider_message_id=answer.provider_message_id,
        reason=reason, diagnostic=answer.text, said_by=answer.said_by,
    )  # fmt: skip


def next_attempt(
    attempt: int, first_at: datetime, now: datetime, longest: timedelta, schedule: Sequence[timedelta] = SCHEDULE
) -> datetime | None:
    """When to try again after attempt number `attempt` was put off; None where that would be too late."""
    at = now + schedule[min(attempt, len(schedule)) - 1]
    return at if at < first_at + longest else None
