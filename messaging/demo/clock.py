"""Moving the time on: all that the demo has brought about so far moves into the past, by the same span.

This is the one thing that the demo does past the product's own ways, so that weeks go by in seconds. Everything moves
alike, so whatever was before something else still is, and what follows from times (a message's rank, a block, a sign of
life) stays right. What falls due by it is done by the product itself: attempts are made again, and what has waited for
72 or 48 hours is given up by the ordinary sweep.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, models, transaction
from django.db.models import Case, F, Q, Value, When

from contacts.blocks.record import lock
from contacts.models import Address, Block, Change, Consent, Contact
from contacts.sql import array
from messaging.ledger.sql import LOCK_MESSAGES
from messaging.models import (
    AddressList,
    Batch,
    Content,
    DeliveryEvent,
    Message,
    Progress,
    SendOut,
    SendOutChange,
    SlowDown,
)
from messaging.sendouts.outcome import keeping
from messaging.status.order import SEVERITY_BITS, WHOLE_RANK

# What moves, by model. A test sees to it that this and STAYS name every time that the product keeps.
MOVES: Final[Mapping[type[models.Model], tuple[str, ...]]] = {
    Contact: ("created_at", "changed_at", "email_consent_at", "sms_consent_at"),
    Address: ("lifted_at",),
    Consent: ("at", "recorded_at"),
    Change: ("at",),
    Block: ("started_at", "recorded_at", "alive_at", "held_at", "ended_at", "last_proof_at", "life_at"),
    SendOut: ("state_at", "scheduled_at", "started_at", "created_at"),
    SendOutChange: ("at",),
    Content: ("created_at",),
    AddressList: ("created_at",),
    Progress: ("rows_done_at",),
    Batch: ("claimed_at", "done_at"),
    SlowDown: ("until",),
    Message: ("created_at", "sent_at", "due_at", "next_attempt_at", "status_at", "parts_arrived_at"),
    DeliveryEvent: ("occurred_at", "recorded_at"),
}
# What does not, and why.
STAYS: Final[Mapping[str, str]] = {
    "Report": "when it really came in is what support staff look for",
    "Tally": "counts reports by when they came in",
    "UnlistedCode": "as the reports that have it",
    "Alarm": "about the flow of reports",
    "Heard": "counted anew from the moved events by count_outcomes",
    "Stretch": "says what is still to be counted",
    "ReadUpTo": "about the flow of events, of all send-outs",
    "Claim": "lasts for as long as a worker works",
    "OldTokens": "about the installation",
    "Installation": "about this database",
    "Restore": "about this database",
    "Pace": "nobody in the demo asks for patience",
} | dict.fromkeys(
    ("MasterControl", "BlockRule", "OutageRule", "Outage", "BlockImport", "BulkLift", "ImportRow"),
    "there is none of the demo's",
)
# A message that a worker has in hand: marked, and nothing recorded of that attempt yet.
IN_HAND: Final = """
SELECT count(*) FROM messaging_message m WHERE m.id = ANY(%s::bigint[]) AND m.status IN ('waiting', 'deferred')
  AND m.attempts > (SELECT count(*) FROM messaging_deliveryevent e
                    WHERE e.message_id = m.id AND e.kind = 'deferred' AND e.provider = m.provider)
"""


class BusyError(Exception):
    """A worker has some of the messages in hand; try again in a moment."""


@dataclass(frozen=True, slots=True)
class World:
    """What is the demo's: its contacts and their addresses, its send-outs, their messages."""

    contacts: list[int]
    addresses: list[int]
    send_outs: list[int]
    messages: list[int]


def world_of(contacts: Iterable[Contact], send_outs: Iterable[int]) -> World:
    ids = [contact.pk for contact in contacts]
    messages = Message.objects.filter(contact__in=ids)
    held = Q(contacts_by_email__in=ids) | Q(contacts_by_mobile__in=ids) | Q(message__in=messages)
    return World(
        ids,
        list(Address.objects.filter(held).distinct().values_list("pk", flat=True)),
        list(send_outs),
        list(messages.values_list("pk", flat=True)),
    )


def join(contact: Contact, at: datetime) -> None:
    """Have somebody who was saved just now be a contact since then."""
    Contact.objects.filter(pk=contact.pk).update(created_at=at, changed_at=at)
    Change.objects.filter(contact=contact).update(at=at)


@transaction.atomic
def pass_time(world: World, by: timedelta) -> None:
    """Let so much time go by. All of it or nothing. Raises BusyError."""
    _lock(world)
    for model, fields in MOVES.items():
        moved: dict[str, Any] = {field: F(field) - by for field in fields}
        if model is Message:
            moved["rank"] = _rank(by)
        if model is Progress:
            moved["marks"] = []  # of a rate that is over
        _of(world, model).update(**moved)


def count_outcomes(world: World) -> None:
    """What became of the send-outs over time, from the events as they are dated by now."""
    for pk in world.send_outs:
        keeping.recount(pk)


def in_hand(messages: Iterable[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(IN_HAND, [array(messages)])
        return int(cursor.fetchone()[0])


def _lock(world: World) -> None:
    """In the order in which everybody does. With the messages locked nobody takes one in hand, nor changes events."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_MESSAGES, [array(world.messages)])
    if in_hand(world.messages):
        raise BusyError
    lock(world.addresses)


def _rank(by: timedelta) -> Case:
    """The rank holds the time of what decided (statuses.rank_of); that of a whole SMS in parts has none."""
    earlier = F("rank") - Value((by // timedelta(microseconds=1)) << SEVERITY_BITS)
    return Case(When(Q(rank=0) | Q(rank=WHOLE_RANK), then=F("rank")), default=earlier)


def _of(world: World, model: type[models.Model]) -> models.QuerySet[Any]:
    """What of the model is the demo's."""
    of: dict[type[models.Model], dict[str, Any]] = {
        Contact: {"pk__in": world.contacts},
        Address: {"pk__in": world.addresses},
        Change: {"contact__in": world.contacts},
        Consent: {"address__in": world.addresses},
        Block: {"address__in": world.addresses},
        SendOut: {"pk__in": world.send_outs},
        AddressList: {"pk__in": _lists(world)},
        Message: {"pk__in": world.messages},
        DeliveryEvent: {"message__in": world.messages},
    }
    return model._default_manager.filter(**of.get(model, {"send_out__in": world.send_outs}))


def _lists(world: World) -> list[int]:
    audiences = SendOut.objects.filter(pk__in=world.send_outs, audience__kind="list")
    return [audience["list"] for audience in audiences.values_list("audience", flat=True)]
