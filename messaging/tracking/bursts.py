"""Clicks of a program whose reports came in more than one batch: those that were recorded as a person's before.

machines.py judges what comes together; here what came together with it in time is looked up, once a batch that has
clicks. The messages must be locked: so whoever records the rest of a burst at the same time comes before or after.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from contacts.sql import array, columns
from engage.database import prepared
from messaging.ledger import sql
from messaging.sendouts.outcome import keeping
from messaging.status.order import READS, UNPROVEN, Event, Kind
from messaging.tracking.bots import BURST, ONE_BREATH, OUR_PAGES, bursts_marked

SECONDS: Final = ONE_BREATH.total_seconds()


class Late(NamedTuple):
    """A recorded click or open of a person's that turned out to be a program's."""

    message_id: int
    key: str
    address_id: int


def late(events: Sequence[Event]) -> list[Late]:
    """What is recorded by now of the bursts that these events belong to, and is not yet said to be a program's. No
    query where no link of ours was followed."""
    clicks = [
        (each.message_id, each.occurred_at)
        for each in events
        if each.kind is Kind.CLICKED and each.provider == OUR_PAGES
    ]
    if not clicks:
        return []
    with prepared() as cursor:
        cursor.execute(sql.CLICKS_AROUND, [2 * SECONDS, SECONDS, *columns(clicks), OUR_PAGES])
        rows = cursor.fetchall()
    address_of = {message_id: address_id for message_id, _key, address_id, *_told in rows}
    recorded = [
        Event(OUR_PAGES, Kind(kind), at, key.hex, message_id, provider_code=link, is_automatic=is_automatic)
        for message_id, key, _address_id, kind, at, link, is_automatic in rows
    ]
    return [
        Late(pk, after.idempotency_key, address_of[pk])
        for before, after in zip(recorded, bursts_marked(recorded), strict=True)
        if after is not before and (pk := after.message_id) is not None
    ]


def settle(found: Collection[Late]) -> None:
    """Have these events be a program's, and what their messages and send-outs show follow from that. To be called
    when all else is locked (outcome/keeping.py)."""
    if not found:
        return
    keys = sorted((each.message_id, UUID(hex=each.key)) for each in found)
    messages = sorted({message_id for message_id, _key in keys})
    keeping.hold()
    keeping.unhear(messages)
    with prepared() as cursor:
        cursor.execute(sql.MARK_AUTOMATIC, [BURST, *columns(keys)])
        cursor.execute(sql.REFOLD_OPENED, [array(READS), array(UNPROVEN), *columns(keys), BURST, array(messages)])
    keeping.hear(messages)
    keeping.mark(messages)
