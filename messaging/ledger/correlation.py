"""Which message an event is about: our token names it, else the provider's id does, else address or number and time."""

from collections.abc import Sequence, Set
from typing import NamedTuple

from contacts.sql import array, columns
from engage.database import prepared
from messaging.ledger import outcome_unknown, recipients, sql
from messaging.status.order import Event, Kind, of_message


class Named(NamedTuple):
    """The message that an id names, and whether that was guessed."""

    message_id: int
    is_guessed: bool


def named(events: Sequence[Event], *, settles: bool = True) -> tuple[list[Event], list[int | None]]:
    """The events as they are about their messages, and the numbers of those; None where nothing names one.

    A message that our token names may not be there. No query where our token names them all. `settles`: whether an id
    that is nobody's may be given to an SMS in doubt (doubts.py), which is written down. Then call it in a transaction.
    """
    message_ids = [event.message_id for event in events]
    # All but a few name their message, and say nothing that depends on what that is.
    odd = [
        place
        for place, event in enumerate(events)
        if event.message_id is None or event.recipient or event.kind is Kind.PART_ARRIVED
    ]
    if not odd:
        return list(events), message_ids
    about = list(events)
    for place, (event, message_id) in zip(odd, _looked_up([events[place] for place in odd], settles), strict=True):
        about[place], message_ids[place] = event, message_id
    return about, message_ids


def _looked_up(events: Sequence[Event], settles: bool) -> list[tuple[Event, int | None]]:
    names = _by_name([event for event in events if event.message_id is None], settles)
    guessed, written_to = recipients.guess(events), recipients.written_to(events)
    found = list[tuple[Event, int | None]]()
    for place, event in enumerate(events):
        by_name = names.get((event.provider, event.provider_message_id)) if event.message_id is None else None
        message_id = event.message_id or (by_name and by_name.message_id)
        if place in guessed:
            found.append((recipients.guessed(event), guessed[place]))
        elif message_id is None:
            found.append((event, None))
        else:
            known = recipients.as_of(event, written_to.get(message_id, ""))
            found.append((recipients.guessed(known) if by_name and by_name.is_guessed else known, message_id))
    parts = _parts({pk for event, pk in found if pk is not None and event.kind == Kind.PART_ARRIVED})
    return [(of_message(event, 1 if pk is None else parts.get(pk, 1)), pk) for event, pk in found]


def _by_name(events: Sequence[Event], settles: bool) -> dict[outcome_unknown.Name, Named]:
    """By the provider's ids; those that are nobody's may be of messages in doubt."""
    wanted = {(event.provider, event.provider_message_id) for event in events if event.provider_message_id}
    if not wanted:
        return {}
    with prepared() as cursor:
        cursor.execute(sql.MESSAGES_BY_PROVIDER_ID, columns(wanted))
        # What was heard at hand-over goes before what was guessed.
        rows = sorted(cursor.fetchall(), key=lambda row: not row[3])
    known = {(provider, name): Named(message_id, is_guessed) for provider, name, message_id, is_guessed in rows}
    nobodys = [event for event in events if (event.provider, event.provider_message_id) not in known]
    known |= {name: Named(pk, is_guessed=False) for name, pk in _by_other_id(nobodys).items()}
    if not settles:
        return known
    nobodys = [event for event in nobodys if (event.provider, event.provider_message_id) not in known]
    return known | {name: Named(pk, is_guessed=True) for name, pk in outcome_unknown.settle(nobodys).items()}


def _by_other_id(nobodys: Sequence[Event]) -> dict[outcome_unknown.Name, int]:
    """By what the ids are if an SMSC writes them in another way. No query where none may be written otherwise."""
    queries = {
        (each.provider, each.provider_message_id, submitted.other_id, submitted.number)
        for each in nobodys
        if each.submitted is not None and (submitted := each.submitted()) is not None and submitted.other_id
    }
    if not queries:
        return {}
    with prepared() as cursor:
        cursor.execute(sql.MESSAGES_BY_OTHER_ID, columns(queries))
        return {(provider, name): pk for provider, name, pk in cursor.fetchall()}


def _parts(message_ids: Set[int]) -> dict[int, int]:
    """In how many parts these messages travel."""
    if not message_ids:
        return {}
    with prepared() as cursor:
        cursor.execute(sql.PARTS, [array(message_ids)])
        return dict(cursor.fetchall())
