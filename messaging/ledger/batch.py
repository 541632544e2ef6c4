"""Events as the arrays of sql.RECORD_EVENTS: what many of a batch share is passed once, and worked out once. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from contacts.models import Channel, Life
from contacts.sql import array, columns, numbers
from messaging.status.order import (
    CONSENTS,
    EPOCH,
    GIVES_UP_AFTER,
    MEANING,
    READS,
    UNPROVEN,
    Caveat,
    Event,
    Kind,
    Status,
    hex_key,
    is_guess,
    key_prefix,
    rank_of,
    status_of,
)

# What shows that somebody or something takes messages at the address. That a person complained or unsubscribed shows
# it, too, but it is no reason to write to them.
SIGNS: Final = {
    Kind.PART_ARRIVED: Life.DELIVERED,
    Kind.DELIVERED: Life.DELIVERED,
    Kind.OPENED: Life.OPENED,
    Kind.CLICKED: Life.CLICKED,
    Kind.SUBSCRIBED: Life.ANSWERED,
    Kind.REPLIED: Life.ANSWERED,
}
# While one of these shows, the message is waited for until its time of giving up.
WAITED_FOR: Final = {Channel.EMAIL: Status.DEFERRED, Channel.SMS: Status.UNKNOWN}
# What can make a run of soft bounces longer, by taking back a delivery, too; and what can end one.
FAILURES: Final = frozenset({Kind.SOFT_BOUNCE, Kind.EXPIRED, Kind.FAILED})
DECISIVE: Final = frozenset(
    kind for kind, meaning in MEANING.items() if meaning.tier >= MEANING[Kind.DELIVERED].tier
) | {Kind.PART_ARRIVED}
# What matters for an address by itself (blocks, consent), and what does only where that is blocked.
WEIGHTY: Final = CONSENTS | FAILURES | {Kind.HARD_BOUNCE}
LIGHT: Final = (DECISIVE | SIGNS.keys()) - WEIGHTY
WEIGHTS: Final = {kind: 2 if kind in WEIGHTY else 1 if kind in LIGHT else 0 for kind in Kind}
# What is not proven matters as far as it shows (statuses.is_guess): a run of soft bounces is one of what shows. What
# else follows is suppression/follow.py's to say; of consent what somebody wants who answers an SMS.
WEIGHTS_OF_UNPROVEN: Final = {
    Caveat.GUESSED: {kind: WEIGHTS[kind] for kind in CONSENTS | DECISIVE},
    Caveat.NAMED: {kind: WEIGHTS[kind] for kind in DECISIVE},
}

# What an event shares with others: the first columns of `shape` in sql.RECORD_EVENTS, in order.
_shape_of: Final = attrgetter(
    "provider",
    "kind",
    "reason",
    "reply_code",
    "status_code",
    "provider_code",
    "said_by",
    "is_automatic",
    "caveat",
    "certainty",
)


class EventBatch:
    """A batch of events about messages, each fact once."""

    def __init__(self, told: Iterable[tuple[Event, int | None, int | None]]) -> None:
        """From (event, number of its message, number of its report); those without a message are left out.

        The first report of a fact is the one that counts, within a batch as between batches.
        """
        # All that follows is by the same place: events, and the columns of `said` in the statement.
        self.events: list[Event] = []
        self.keys: dict[str, None] = {}
        self.message_ids: list[int] = []
        self._report_ids: list[int | None] = []
        self._microseconds: list[int] = []
        self._shape_numbers: list[int] = []
        self._shapes: dict[tuple[Any, ...], int] = {}
        prefixes = [""]
        for event, message_id, report_id in told:
            if message_id is None:
                continue
            shape = _shape_of(event)
            number = self._shapes.get(shape)
            if number is None:
                number = self._shapes[shape] = len(prefixes)
                prefixes.append(key_prefix(event.provider, event.kind))
            key = hex_key(prefixes[number], event.idempotency_key)
            if key in self.keys:
                continue
            since = event.occurred_at - EPOCH
            self.keys[key] = None
            self.events.append(event)
            self.message_ids.append(message_id)
            self._report_ids.append(report_id)
            # Quicker than dividing by a timedelta.
            self._microseconds.append((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
            self._shape_numbers.append(number)

    def arrays(self) -> list[str]:
        """The statement's arrays: of the shapes, then of the events. There must be at least one event."""
        return [
            *columns(map(_row, self._shapes)),
            "{" + ",".join(self.keys) + "}", numbers(self.message_ids), numbers(self._report_ids),
            numbers(self._microseconds), array([event.diagnostic for event in self.events]),
            numbers(self._shape_numbers),
        ]  # fmt: skip


@lru_cache(maxsize=1_000)
def _row(shape: tuple[Any, ...]) -> tuple[object, ...]:
    """The shape, and what an event of it would make of a message of each channel if none were greater."""
    _provider, kind, _reason, reply_code, status_code, provider_code, _said_by, _is_automatic, caveat, _ = shape
    email, sms = (status_of(kind, channel) for channel in (Channel.EMAIL, Channel.SMS))
    code = " ".join(filter(None, (reply_code, status_code, provider_code)))
    return (
        *shape, code, _place(Channel.EMAIL, kind, caveat), _place(Channel.SMS, kind, caveat), email, sms,
        kind in READS and caveat not in UNPROVEN,
        GIVES_UP_AFTER[Channel.EMAIL]
        if email == WAITED_FOR[Channel.EMAIL] and not is_guess(Channel.EMAIL, kind, caveat) else None,
        GIVES_UP_AFTER[Channel.SMS] if sms == WAITED_FOR[Channel.SMS] else None,
        WEIGHTS_OF_UNPROVEN.get(caveat, WEIGHTS).get(kind, 0),
    )  # fmt: skip


def _place(channel: Channel, kind: Kind, caveat: str) -> int | None:
    return rank_of(kind, EPOCH, is_guess=is_guess(channel, kind, caveat)) if kind in MEANING else None
