"""The vocabulary of statuses and events, and the order that turns a set of events into one status.

The status of a message is that of its greatest event by (tier, occurred_at, severity): a maximum, so neither the
order of arrival nor repeats can change it. An event counts as far as it is proven that it is about this message
(Caveat): a guess is greater than that the message was accepted, and less than all else. Everything here is pure.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from contacts.models import Channel


class Status(TextChoices):
    WAITING = "waiting", _("Waiting")
    UNKNOWN = "unknown", _("Unknown")
    DEFERRED = "deferred", _("Deferred")
    DELIVERED = "delivered", _("Delivered")
    OPENED = "opened", _("Delivered (Opened)")
    SOFT_BOUNCE = "soft_bounce", _("Soft bounce")
    HARD_BOUNCE = "hard_bounce", _("Hard bounce")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Validity expired")
    UNTRACEABLE = "untraceable", _("No status available")
    CONTROL_GROUP = "control_group", _("Control group")


class Kind(TextChoices):
    """What an event says. Complaints, consent and automatic replies are events, but say nothing about delivery."""

    # Kinds are looked up for every event; an enumeration's own hash is worked out in Python each time.
    __hash__ = str.__hash__

    ACCEPTED = "accepted", _("Accepted")
    # The same after we had been put off: from then on it is no longer on hold with us.
    TAKEN = "taken", _("Accepted at last")
    DEFERRED = "deferred", _("Deferred")
    GAVE_UP = "gave_up", _("Gave up")
    UNTRACEABLE = "untraceable", _("No status available")
    PART_ARRIVED = "part_arrived", _("A part arrived")
    DELIVERED = "delivered", _("Delivered")
    OPENED = "opened", _("Opened")
    CLICKED = "clicked", _("Clicked")
    SOFT_BOUNCE = "soft_bounce", _("Soft bounce")
    EXPIRED = "expired", _("Validity expired")
    FAILED = "failed", _("Failed")
    HARD_BOUNCE = "hard_bounce", _("Hard bounce")
    COMPLAINED = "complained", _("Marked as spam")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
    SUBSCRIBED = "subscribed", _("Subscribed again")
    REPLIED = "replied", _("Automatic reply")


class Caveat(TextChoices):
    """What to bear in mind about an event. Without one it is proven: our token for that purpose, the provider's id
    under a verified signature, or our own connection says which message it is about."""

    GUESSED = "guessed", _("The message was guessed by address or number and time")
    NAMED = "named", _("The mail names the message by what readers of it can see")
    PASSED_ON = "passed_on", _("About an address to which it was passed on")
    OUTCOME_UNKNOWN = "in_doubt", _("Nobody heard whether it was taken, so it is not sent again by itself")


class Meaning(NamedTuple):
    """What a kind of event weighs, and what it shows as on each channel."""

    tier: int
    severity: int
    email: Status
    sms: Status


MEANING: Final[dict[Kind, Meaning]] = {
    Kind.ACCEPTED: Meaning(1, 0, Status.UNKNOWN, Status.UNKNOWN),
    Kind.DEFERRED: Meaning(2, 0, Status.DEFERRED, Status.UNKNOWN),
    Kind.TAKEN: Meaning(2, 1, Status.UNKNOWN, Status.UNKNOWN),
    Kind.PART_ARRIVED: Meaning(2, 1, Status.UNKNOWN, Status.UNKNOWN),
    Kind.UNTRACEABLE: Meaning(3, 0, Status.UNKNOWN, Status.UNTRACEABLE),
    Kind.GAVE_UP: Meaning(3, 1, Status.SOFT_BOUNCE, Status.EXPIRED),
    Kind.DELIVERED: Meaning(4, 0, Status.DELIVERED, Status.DELIVERED),
    Kind.OPENED: Meaning(4, 0, Status.DELIVERED, Status.DELIVERED),
    Kind.CLICKED: Meaning(4, 0, Status.DELIVERED, Status.DELIVERED),
    Kind.SOFT_BOUNCE: Meaning(4, 1, Status.SOFT_BOUNCE, Status.SOFT_BOUNCE),
    Kind.EXPIRED: Meaning(4, 2, Status.SOFT_BOUNCE, Status.EXPIRED),
    Kind.FAILED: Meaning(4, 3, Status.SOFT_BOUNCE, Status.FAILED),
    Kind.HARD_BOUNCE: Meaning(4, 4, Status.HARD_BOUNCE, Status.HARD_BOUNCE),
}
READS: Final = frozenset({Kind.OPENED, Kind.CLICKED})
CONSENTS: Final = frozenset({Kind.COMPLAINED, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED})
# Those that have no place in the order.
SILENT: Final = frozenset(Kind) - MEANING.keys()
# Neither proves that an event is about its message.
UNPROVEN: Final = frozenset({Caveat.GUESSED, Caveat.NAMED})
# What shows in full where the mail names our message, as a mail server's does that returns it.
SHOWN_BY_NAME: Final = frozenset({Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE})
# While one of these shows, a further report may change it without anything having gone wrong.
OPEN_STATUSES: Final = frozenset({Status.WAITING, Status.UNKNOWN, Status.DEFERRED})
EMAIL_STATUSES: Final = (
    Status.WAITING, Status.UNKNOWN, Status.DEFERRED, Status.DELIVERED, Status.OPENED,
    Status.SOFT_BOUNCE, Status.HARD_BOUNCE, Status.CONTROL_GROUP,
)  # fmt: skip
SMS_STATUSES: Final = (
    Status.WAITING, Status.UNKNOWN, Status.DELIVERED, Status.SOFT_BOUNCE, Status.HARD_BOUNCE,
    Status.FAILED, Status.EXPIRED, Status.UNTRACEABLE, Status.CONTROL_GROUP,
)  # fmt: skip

GIVES_UP_AFTER: Final = {Channel.EMAIL: timedelta(hours=72), Channel.SMS: timedelta(hours=48)}

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIME_BITS: Final = 55
SEVERITY_BITS: Final = 3
# Guesses lie at the end of the first tier: above what was accepted, whenever that was, by a bit that no time reaches
# (until the year 2541); among each other in their own order of tiers, by the two bits below (no time before 2112).
GUESS_BIT: Final = 1 << (TIME_BITS - 1)
TIER_BITS: Final = 2
GUESSES: Final = range((1 << TIME_BITS | GUESS_BIT) << SEVERITY_BITS, 2 << TIME_BITS + SEVERITY_BITS)


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a receipt tells of its SMS besides an id: enough to find one that is in doubt (doubts.py).

    `number` in E.164; `sender` as it was submitted, "" where nobody says; `since` and `until`: between these it was
    submitted, aware UTC; `reference`: the last 16 bits of the message's number, 0 where nobody gave them back.
    `other_id`: what its `provider_message_id` would be if the SMSC wrote it otherwise than it should; "" for none.
    """

    number: str
    sender: str
    since: datetime
    until: datetime
    reference: int = 0
    other_id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about one message, in our words; what a provider's adapter makes of a raw report.

    `idempotency_key` names the fact among all of its provider's: two events of one provider and kind that share it are
    one. `message_id` comes from our own token in the message; where a provider drops that, `provider_message_id`
    is the fallback. `occurred_at` is aware UTC. `recipient` is the normalised email address that a mail speaks of, or
    the number of who answered an SMS: the last resort where nothing names the message (recipients.py). `submitted`
    is the last resort where the id of a receipt is nobody's (doubts.py); it is worked out only then. `peer`: the IP
    address from which our own server took the mail that says it (speakers.py); "" where nobody knows. `certainty`: how
    sure it is what a mail server's words mean (bounces/certainty.py); "" where none were judged.
    """

    provider: str
    kind: Kind
    occurred_at: datetime
    idempotency_key: str
    message_id: int | None = None
    provider_message_id: str = ""
    reason: str = ""
    reply_code: str = ""
    status_code: str = ""
    provider_code: str = ""
    diagnostic: str = ""
    said_by: str = ""
    is_automatic: bool = False
    recipient: str = ""
    caveat: str = ""
    certainty: str = ""
    peer: str = ""
    submitted: Callable[[], Submitted | None] | None = field(default=None, compare=False)

    @property
    def code(self) -> str:
        """The bounce code as the card prints it: SMTP reply, enhanced status code, gateway code."""
        return " ".join(filter(None, (self.reply_code, self.status_code, self.provider_code)))


def status_of(kind: Kind, channel: Channel) -> Status | None:
    """What `kind` shows as on `channel`; None where it says nothing about delivery."""
    meaning = MEANING.get(kind)
    if meaning is None:
        return None
    return meaning.email if channel == Channel.EMAIL else meaning.sms


def is_guess(channel: Channel, kind: Kind, caveat: str) -> bool:
    """Whether such an event is shown as a guess.

    Anybody can write a mail. An SMS that is found by number and time was told of over a line of ours: it is another
    one of ours, if any, so what shows is what was said.
    """
    if channel != Channel.EMAIL:
        return False
    return caveat == Caveat.GUESSED or (caveat == Caveat.NAMED and kind not in SHOWN_BY_NAME)


def is_consent_change(channel: Channel, caveat: str) -> bool:
    """Whether an event about consent counts: proven, or as it came from the number itself, whichever SMS it answers."""
    return caveat not in UNPROVEN or (channel == Channel.SMS and caveat == Caveat.GUESSED)


def rank_of(kind: Kind, occurred_at: datetime, *, is_guess: bool = False) -> int:
    """(tier, microseconds since 1970, severity) as one positive bigint, so that comparing is comparing numbers.

    0 for kinds that say nothing about delivery.
    """
    meaning = MEANING.get(kind)
    if meaning is None:
        return 0
    microseconds = max(0, (occurred_at - EPOCH) // timedelta(microseconds=1))
    place = meaning.tier << TIME_BITS
    if is_guess:
        place = 1 << TIME_BITS | GUESS_BIT | (meaning.tier - 1) << (TIME_BITS - 1 - TIER_BITS)
    return (place | microseconds) << SEVERITY_BITS | meaning.severity


# The place of an SMS whose every part arrived: a final word, yet below any that was said of the message or of one of
# its parts, since one failed part decides. No event says it, so it has a key of its own.
WHOLE_RANK: Final = rank_of(Kind.DELIVERED, EPOCH)
WHOLE_KEY: Final = UUID(int=0)


def of_message(event: Event, parts: int) -> Event:
    """The event as it is about a message of so many parts: the only part is the message."""
    return replace(event, kind=Kind.DELIVERED) if event.kind == Kind.PART_ARRIVED and parts <= 1 else event


def key_of(event: Event) -> UUID:
    """The repeat-key: the same fact reported twice gets the same key, whichever worker computes it."""
    return UUID(hex=hex_key_of(event))


def hex_key_of(event: Event) -> str:
    """The repeat-key in hexadecimal, for who needs it by the thousand: making UUIDs takes longer than all the rest."""
    return hex_key(key_prefix(event.provider, event.kind), event.idempotency_key)


def hex_key(prefix: str, idempotency_key: str) -> str:
    """An event's key from what `key_prefix` gives: the first half of a SHA-256, which PostgreSQL can work out as well
    (sql.GIVE_UP)."""
    return sha256((prefix + idempotency_key).encode("utf-8", "replace")).hexdigest()[:32]


@cache
def key_prefix(provider: str, kind: Kind) -> str:
    """What stands before the idempotency key; a provider's slug and a kind have no slash in them."""
    return f"{provider}/{kind}/"


def not_later_than(limit: datetime, occurred_at: datetime) -> datetime:
    """`occurred_at`, cut to the time of receipt: a provider's fast clock must not outrank what comes later."""
    return limit if occurred_at > limit else max(EPOCH, occurred_at)


def not_before(limit: datetime, event: Event) -> Event:
    """`event`, cut to the time at which its message was handed over or, before that, made: nothing became of it sooner,
    whatever a provider's slow clock, or a number that is no time, says."""
    return replace(event, occurred_at=limit) if event.occurred_at < limit else event


class MessageOutcome(NamedTuple):
    """What the events of one message add up to."""

    status: Status
    rank: int
    is_opened: bool
    is_opened_by_person: bool
    decided_by: UUID | None


def is_arrival(channel: Channel, kind: Kind, rank: int) -> bool:
    """Whether an event, of this rank, says that an SMS arrived, or a part of it: then the number exists, and whatever
    else is said of the same SMS, it has failed at most."""
    return channel == Channel.SMS and (kind == Kind.PART_ARRIVED or (kind == Kind.DELIVERED and rank >= WHOLE_RANK))


def fold(channel: Channel, events: Iterable[Event], parts: int = 1, since: datetime = EPOCH) -> MessageOutcome:
    """The status of a message of `parts` parts, handed over or made at `since`, about which `events` were reported, in
    any order and however often.

    What messaging/ledger/record.py does in SQL must come to the same; tests/messaging/status/test_laws.py proves it.
    """
    best: tuple[int, UUID | None, Status] = (0, None, Status.WAITING)
    is_opened = is_opened_by_person = is_taken = False
    arrived: set[UUID] = set()
    for event in (not_before(since, of_message(event, parts)) for event in events):
        status = status_of(event.kind, channel)
        if status is None:
            continue
        is_read = event.kind in READS and event.caveat not in UNPROVEN
        is_opened |= is_read
        is_opened_by_person |= is_read and not event.is_automatic
        is_guessed = is_guess(channel, event.kind, event.caveat)
        rank, key = rank_of(event.kind, event.occurred_at, is_guess=is_guessed), key_of(event)
        if best[1] is None or (rank, key) > (best[0], best[1]):
            best = (rank, key, status)
        if event.kind == Kind.PART_ARRIVED:
            arrived.add(key)
        is_taken |= is_arrival(channel, event.kind, rank)
    if arrived and len(arrived) >= parts and best[0] < WHOLE_RANK:
        best = (WHOLE_RANK, WHOLE_KEY, Status.DELIVERED)
    rank, decided_by, status = best
    if status == Status.HARD_BOUNCE and is_taken:
        status = Status.FAILED
    if status == Status.DELIVERED and is_opened and channel == Channel.EMAIL:
        status = Status.OPENED
    return MessageOutcome(status, rank, is_opened, is_opened_by_person, decided_by)


class Look(StrEnum):
    """How a status feels; the colour comes on top of icon and words, never instead."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


LOOKS: Final[dict[Status, tuple[Look, str]]] = {
    Status.WAITING: (Look.IDLE, "tray"),
    Status.UNKNOWN: (Look.IDLE, "question"),
    Status.DEFERRED: (Look.WARN, "clock"),
    Status.DELIVERED: (Look.GOOD, "check"),
    Status.OPENED: (Look.GOOD, "envelope-open"),
    Status.SOFT_BOUNCE: (Look.WARN, "bounce"),
    Status.HARD_BOUNCE: (Look.BAD, "ban"),
    Status.FAILED: (Look.BAD, "cross"),
    Status.EXPIRED: (Look.WARN, "hourglass"),
    Status.UNTRACEABLE: (Look.IDLE, "eye-off"),
    Status.CONTROL_GROUP: (Look.IDLE, "minus"),
}
