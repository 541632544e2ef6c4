"""What events say of consent: whose it is, by what they said it, and which address that person has now."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from contacts.consent import ConsentChange
from contacts.models import Channel, Source
from contacts.sql import array
from messaging.ledger import sql
from messaging.providers.tracking.reports import ONE_CLICK, SLUG
from messaging.status.order import CONSENTS, Event, Kind, key_of

# Of our own pages: by what it was said, by kind and reason.
OURS: Final = {Kind.UNSUBSCRIBED: Source.LINK, Kind.SUBSCRIBED: Source.UNDO}


class ConsentEvent(NamedTuple):
    """An event about consent, its repeat-key in hexadecimal, and the message that it is about."""

    event: Event
    key: str
    message_id: int
    channel: Channel
    address_id: int


def consent_changes_of(told: Sequence[ConsentEvent]) -> list[ConsentChange]:
    """One for each. One query for all of them: whose messages these are, and which address they have now."""
    if not told:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql.HOLDERS_OF_MESSAGES, [array({each.message_id for each in told})])
        holders = {pk: (contact_id, present_id) for pk, contact_id, present_id in cursor.fetchall()}
    return [
        ConsentChange(
            each.address_id, each.channel, each.event.occurred_at, each.message_id,
            each.event.kind == Kind.SUBSCRIBED, source_of(each.event), UUID(hex=each.key),
            *holders.get(each.message_id, (None, None)),
        )
        for each in told
    ]  # fmt: skip


def answers_of(events: Iterable[Event]) -> list[ConsentChange]:
    """What those say who answered by SMS, of events that match no message: it is about the number, which needs none.
    A number that nobody has yet becomes an address: whoever gets it is not written to. Two queries at most."""
    answers = [each for each in events if is_answer(each)]
    if not answers:
        return []
    numbers = sorted({each.recipient for each in answers})
    with connection.cursor() as cursor:
        cursor.execute(sql.MAKE_NUMBERS, [array(numbers)])
        cursor.execute(sql.NUMBERS, [array(numbers)])
        by_number = dict(cursor.fetchall())
    return [
        ConsentChange(
            by_number[each.recipient], Channel.SMS, each.occurred_at, None, each.kind == Kind.SUBSCRIBED,
            Source.ANSWER, key_of(each),
        )
        for each in answers
    ]  # fmt: skip


def is_answer(event: Event) -> bool:
    """Whether it is what somebody answered by SMS: nothing but such a wish names a number (E.164) as its recipient."""
    return event.kind in CONSENTS and event.recipient.startswith("+") and "@" not in event.recipient


def source_of(event: Event) -> Source:
    if event.kind == Kind.COMPLAINED:
        return Source.COMPLAINT
    if event.provider == SLUG:
        return Source.ONE_CLICK if event.reason == ONE_CLICK else OURS[event.kind]
    return Source.ANSWER if is_answer(event) else Source.PROVIDER
