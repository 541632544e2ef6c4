"""Which message an event is about: our token names it, else the provider's id does, else an address and a time."""

from collections.abc import Iterable, Sequence, Set

from contacts.sql import array, columns
from engage.database import prepared
from messaging import recipients, sql
from messaging.statuses import Event, Kind, of_message


def named(events: Sequence[Event]) -> tuple[list[Event], list[int | None]]:
    """The events as they are about their messages, and the numbers of those; None where nothing names one.

    A message that our token names may not be there. No query where our token names them all.
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
    for place, (event, message_id) in zip(odd, _looked_up([events[place] for place in odd]), strict=True):
        about[place], message_ids[place] = event, message_id
    return about, message_ids


def _looked_up(events: Sequence[Event]) -> list[tuple[Event, int | None]]:
    by_provider_id = _by_provider_id([event for event in events if event.message_id is None])
    guessed, written_to = recipients.guess(events), recipients.written_to(events)
    found = list[tuple[Event, int | None]]()
    for place, event in enumerate(events):
        message_id = event.message_id or by_provider_id.get((event.provider, event.provider_message_id))
        if place in guessed:
            found.append((recipients.guessed(event), guessed[place]))
        elif message_id is None:
            found.append((event, None))
        else:
            found.append((recipients.as_of(event, written_to.get(message_id, "")), message_id))
    parts = _parts({pk for event, pk in found if pk is not None and event.kind == Kind.PART_ARRIVED})
    return [(of_message(event, 1 if pk is None else parts.get(pk, 1)), pk) for event, pk in found]


def _by_provider_id(events: Iterable[Event]) -> dict[tuple[str, str], int]:
    wanted = {(event.provider, event.provider_message_id) for event in events if event.provider_message_id}
    if not wanted:
        return {}
    with prepared() as cursor:
        cursor.execute(sql.MESSAGES_BY_PROVIDER_ID, columns(wanted))
        return {(provider, provider_id): message_id for provider, provider_id, message_id in cursor.fetchall()}


def _parts(message_ids: Set[int]) -> dict[int, int]:
    """In how many parts these messages travel."""
    if not message_ids:
        return {}
    with prepared() as cursor:
        cursor.execute(sql.PARTS, [array(message_ids)])
        return dict(cursor.fetchall())
