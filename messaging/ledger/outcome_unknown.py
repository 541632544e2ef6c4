"""SMS in doubt: a worker died, or a line broke, between handing it over and hearing its id.

Its receipt then names an id that nobody knows. It is about that SMS if nothing else of ours fits number, sender and
time, or the reference that it gives back; where two may be meant, nobody guesses. An id that was matched becomes a name
of the message, so what comes later by it is about the same one, and no further ids than it has parts are its.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db import connection

from contacts.sql import columns
from messaging.ledger import sql
from messaging.status.order import Event, Submitted

# A provider and its id.
Name = tuple[str, str]


class UnknownOutcome(NamedTuple):
    """An SMS in doubt, and how many of its parts have no id yet."""

    message_id: int
    places: int


def settle(events: Iterable[Event]) -> dict[Name, int]:
    """Which message each of these ids, which are nobody's, is taken to name from now on; nothing where that is not
    certain. No query where no event says when its SMS was submitted. Call it in a transaction."""
    candidates = [
        ((each.provider, each.provider_message_id), submitted)
        for each in events
        if each.provider_message_id and each.submitted is not None and (submitted := each.submitted()) is not None
    ]
    if not candidates or not _found(candidates) or not _is_ours_to_settle():
        return {}
    # Once more, as somebody else may have settled one just now.
    settled = _sure(_found(candidates))
    if not settled:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.NAME_GUESSED, columns((name, provider, pk) for (provider, name), pk in settled.items()))
        return {(provider, name): pk for provider, name, pk in cursor.fetchall()}


def _found(candidates: Sequence[tuple[Name, Submitted]]) -> dict[Name, set[UnknownOutcome]]:
    rows = [
        (place, provider, submitted.number, submitted.sender, submitted.reference, submitted.since, submitted.until)
        for place, ((provider, _name), submitted) in enumerate(candidates)
    ]
    found = defaultdict[Name, set[UnknownOutcome]](set)
    with connection.cursor() as cursor:
        cursor.execute(sql.UNKNOWN_OUTCOME_SMS, columns(rows))
        for place, message_id, places in cursor.fetchall():
            found[candidates[place][0]].add(UnknownOutcome(message_id, places))
    return found


def _is_ours_to_settle() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql.TRY_SETTLING)
        return bool(cursor.fetchone()[0])


def _sure(found: Mapping[Name, set[UnknownOutcome]]) -> dict[Name, int]:
    """Without ids that fit two messages, and those of a message that more ids fit than it has parts without one."""
    meant = {name: next(iter(each)) for name, each in found.items() if len(each) == 1}
    ids = defaultdict[UnknownOutcome, int](int)
    for each in meant.values():
        ids[each] += 1
    return {name: each.message_id for name, each in meant.items() if ids[each] <= each.places}
