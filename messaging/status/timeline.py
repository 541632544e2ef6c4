"""The story of one message: for each of its events, whether it changed the status when it was recorded, or why not.

Pure. The order is that of recording; what was recorded at once (one batch is one transaction) stands in the order
in which it happened.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts.models import Channel
from messaging.status.order import (
    CONSENTS,
    GUESSES,
    MEANING,
    READS,
    SILENT,
    UNPROVEN,
    WHOLE_KEY,
    WHOLE_RANK,
    Kind,
    Status,
    is_arrival,
    is_guess,
    rank_of,
    status_of,
)

if TYPE_CHECKING:
    from messaging.models import DeliveryEvent

FINAL_TIER: Final = MEANING[Kind.DELIVERED].tier


class Effect(StrEnum):
    CHANGED = "changed"
    CONFIRMED = "confirmed"  # the newest word, and the same as before
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, what the message showed after it, and what to say about its effect."""

    event: "DeliveryEvent"
    effect: Effect
    status: Status
    note: str | Promise = ""


class GreatestEvent(NamedTuple):
    """The greatest that was known at a time: its place in the order, what it says, and when it happened."""

    place: tuple[int, object]
    kind: Kind
    occurred_at: datetime


OLDER: Final = _("Older than what was known already, so it changed nothing.")
TOO_LATE: Final = _("The final word was known already, so it changed nothing.")
OVERTAKEN: Final = _("A real report had come already, so giving up changed nothing.")
WORSE_KNOWN: Final = _("Something worse of the same moment was known already, so it changed nothing.")
STAGE_PASSED: Final = _("The message was known to be further on, so it changed nothing.")
OPENED_ONLY: Final = _("That it was opened is noted; the later news stands.")
CONSENT: Final = _("This changes the person's consent, not what became of the message.")
UNPROVEN_CONSENT: Final = _("Nothing proves who says so, so the person's consent stays as it was.")
LESS_THAN_PROVEN: Final = _("A guess changes nothing once something is proven.")
REPLY: Final = _("A program answered, so it arrived where that runs; this changes nothing about the status.")
OVERRULED: Final = _("A real report came later and counts instead.")


def timeline(channel: Channel, events: Iterable["DeliveryEvent"], parts: int = 1) -> list[Entry]:
    """Every event with its effect. The last entry's status is what `statuses.fold` makes of them all."""
    entries: list[Entry] = []
    best: GreatestEvent | None = None
    arrived, is_opened, is_taken, before = 0, False, False, Status.WAITING
    for event in sorted(events, key=partial(_in_order, channel)):
        known = GreatestEvent(_place(channel, event), Kind(event.kind), event.occurred_at)
        if event.kind == Kind.PART_ARRIVED:
            arrived += 1
            if arrived >= parts and (best is None or best.place[0] < WHOLE_RANK):
                known = GreatestEvent((WHOLE_RANK, WHOLE_KEY), Kind.DELIVERED, event.occurred_at)
        is_best = event.kind not in SILENT and (best is None or known.place > best.place)
        was_opened = is_opened
        is_opened = is_opened or (event.kind in READS and event.caveat not in UNPROVEN)
        if is_best:
            entries = _overrule(entries, known)
            best = known
        is_taken = is_taken or is_arrival(channel, Kind(event.kind), known.place[0])
        after = _shown(best, channel, is_opened=is_opened, is_taken=is_taken)
        effect = _effect(is_best=is_best, is_change=after != before)
        note = "" if effect != Effect.NOTHING else _why_not(channel, event, best, is_news=is_opened and not was_opened)
        entries.append(Entry(event, effect, after, note))
        before = after
    return entries


def _in_order(channel: Channel, event: "DeliveryEvent") -> tuple[object, ...]:
    return event.recorded_at, event.occurred_at, _place(channel, event)


def _place(channel: Channel, event: "DeliveryEvent") -> tuple[int, object]:
    kind = Kind(event.kind)
    return rank_of(kind, event.occurred_at, is_guess=is_guess(channel, kind, event.caveat)), event.key


def _shown(best: GreatestEvent | None, channel: Channel, *, is_opened: bool, is_taken: bool) -> Status:
    status = status_of(best.kind, channel) if best else None
    if status == Status.HARD_BOUNCE and is_taken:
        return Status.FAILED
    if status == Status.DELIVERED and is_opened and channel == Channel.EMAIL:
        return Status.OPENED
    return status or Status.WAITING


def _effect(*, is_best: bool, is_change: bool) -> Effect:
    if is_change:
        return Effect.CHANGED
    return Effect.CONFIRMED if is_best else Effect.NOTHING


def _overrule(entries: list[Entry], known: GreatestEvent) -> list[Entry]:
    """Our own giving up was right when it was recorded, and is no longer: say so beside it."""
    if MEANING[known.kind].tier < FINAL_TIER:
        return entries
    return [
        Entry(entry.event, entry.effect, entry.status, OVERRULED)
        if entry.event.kind == Kind.GAVE_UP and entry.effect != Effect.NOTHING
        else entry
        for entry in entries
    ]


def _why_not(channel: Channel, event: "DeliveryEvent", best: GreatestEvent | None, *, is_news: bool) -> str | Promise:
    if event.kind == Kind.REPLIED:
        return REPLY
    if event.kind in CONSENTS or best is None:
        return UNPROVEN_CONSENT if channel == Channel.EMAIL and event.caveat in UNPROVEN else CONSENT
    if is_news:
        return OPENED_ONLY
    is_mine_guessed, is_best_guessed = is_guess(channel, Kind(event.kind), event.caveat), best.place[0] in GUESSES
    if is_mine_guessed != is_best_guessed:
        return STAGE_PASSED if is_best_guessed else LESS_THAN_PROVEN
    return _why_less(event, best)


def _why_less(event: "DeliveryEvent", best: GreatestEvent) -> str | Promise:
    mine, theirs = MEANING[Kind(event.kind)].tier, MEANING[best.kind].tier
    if event.kind == Kind.GAVE_UP and mine < theirs:
        return OVERTAKEN
    if mine < theirs:
        return TOO_LATE if theirs == FINAL_TIER else STAGE_PASSED
    return OLDER if event.occurred_at < best.occurred_at else WORSE_KNOWN
