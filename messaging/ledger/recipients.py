"""What it tells that a mail names a recipient: which message it is about where nothing else does, and whether the mail
was passed on to somebody else.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final
from unicodedata import normalize

from django.conf import settings
from django.db import connection

from contacts.sql import array, columns
from messaging.ledger import sql
from messaging.status.order import Caveat, Event, Kind

# RFC 5321 4.5.4.1: a server gives up on a mail after four or five days.
GUESSED_WITHIN_DAYS: Final = 5
# People answer an SMS long after they got it.
ANSWERED_WITHIN_DAYS: Final = 400
# The place of an event, the address that it names, and its time.
Asked = tuple[int, str, datetime]


def guess(events: Sequence[Event]) -> dict[int, int]:
    """For events that name an address alone, by their place, the newest email to it in the five days before; nothing
    where two contacts share the address and both got one, or where settings.BOUNCE_GUESS is off. Of a number the newest
    SMS. One query for each channel."""
    queries = [
        (place, event.recipient, event.occurred_at)
        for place, event in enumerate(events)
        if event.recipient and event.message_id is None and not event.provider_message_id
    ]
    return answered(queries) | _guess_by_email([each for each in queries if not _is_number(each[1])])


def answered(queries: Sequence[Asked]) -> dict[int, int]:
    """For who answers by SMS, the newest SMS to the number: what they want is about the number, whoever shares it."""
    of_numbers = [each for each in queries if _is_number(each[1])]
    if not of_numbers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.SMS_BY_NUMBER, [*columns(of_numbers), ANSWERED_WITHIN_DAYS])
        return dict(cursor.fetchall())


def _guess_by_email(queries: Sequence[Asked]) -> dict[int, int]:
    if not queries or not settings.BOUNCE_GUESS:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.MESSAGES_BY_ADDRESS, [*columns(queries), GUESSED_WITHIN_DAYS])
        return dict(cursor.fetchall())


def _is_number(recipient: str) -> bool:
    """E.164: no email address is like it."""
    return recipient.startswith("+") and "@" not in recipient


def to(event: Event, address: str) -> Event:
    """The event as one that names this address."""
    return replace(event, recipient=address)


def guessed(event: Event) -> Event:
    return replace(event, caveat=Caveat.GUESSED)


def written_to(events: Iterable[Event]) -> dict[int, str]:
    """The addresses of the messages that are named by events which name an address, too. One query."""
    ids = {each.message_id for each in events if each.recipient and each.message_id is not None}
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.ADDRESSES_OF_MESSAGES, [array(ids)])
        return dict(cursor.fetchall())


def as_of(event: Event, address: str) -> Event:
    """The event as it is about a message to `address`; empty where the event says nothing of a recipient.

    A hard bounce of somebody to whom it was passed on (a member of a list, a forwarding) does not say that our address
    is dead: the others may have got it.
    """
    if (
        event.kind != Kind.HARD_BOUNCE
        or not event.recipient
        or not address
        or is_same_mailbox(event.recipient, address)
    ):
        return event
    return replace(event, kind=Kind.SOFT_BOUNCE, reason="unknown", caveat=Caveat.PASSED_ON)


def is_same_mailbox(one: str, other: str) -> bool:
    """Whether a server may have written `other` as `one`: with a tag or without, and with the name of a host within the
    domain. Any other domain is somebody else's, whatever stands before the @."""
    (local, domain), (other_local, other_domain) = _mailbox(one), _mailbox(other)
    return local == other_local and (
        domain == other_domain or domain.endswith(f".{other_domain}") or other_domain.endswith(f".{domain}")
    )


def _mailbox(address: str) -> tuple[str, str]:
    local, _, domain = address.rpartition("@")
    return normalize("NFC", local).partition("+")[0].casefold(), domain_in_ascii(domain)


def domain_in_ascii(domain: str) -> str:
    """Lower case, with A-labels (RFC 5890) where there are others: however a server writes it, it is the same."""
    plain = domain.rstrip(".").lower()
    if plain.isascii():
        return plain
    import idna  # noqa: PLC0415 -- its tables are large, and hardly ever needed

    with suppress(idna.IDNAError):
        return idna.encode(plain, uts46=True).decode("ascii")
    return plain
