"""What apply is compared with: the leanest loop over the ORM that does the same, one transaction a batch."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from contacts.models import Block, Change, Channel
from messaging.models import DeliveryEvent, Message
from messaging.status.order import GIVES_UP_AFTER, READS, Event, Kind, Status, key_of, rank_of, status_of

READ = (
    "channel",
    "status",
    "rank",
    "decided_by",
    "is_opened",
    "is_opened_by_person",
    "due_at",
    "sent_at",
    "contact_id",
)


def apply(batch: Sequence[Event]) -> None:
    with transaction.atomic():
        for event in batch:
            _apply(event)


def _apply(event: Event) -> None:
    message = Message.objects.only(*READ, "address_id").get(pk=event.message_id or 0)
    key = key_of(event)
    # Its key is unique; a repeat, of which there are none here, would need a savepoint in addition.
    DeliveryEvent(
        key=key, message=message, provider=event.provider, kind=event.kind, occurred_at=event.occurred_at,
        reason=event.reason, reply_code=event.reply_code, status_code=event.status_code,
        provider_code=event.provider_code, diagnostic=event.diagnostic, said_by=event.said_by,
        is_automatic=event.is_automatic,
    ).save(force_insert=True)  # fmt: skip
    if fields := _raise(message, event, key):
        message.save(update_fields=fields)
    if event.kind == Kind.HARD_BOUNCE:
        _block(message, event, key)


def _raise(message: Message, event: Event, key: UUID) -> list[str]:
    """Which fields of the message the event has changed."""
    channel, rank = Channel(message.channel), rank_of(event.kind, event.occurred_at)
    fields, status = list[str](), status_of(event.kind, channel) or Status.WAITING
    if event.kind in READS and not message.is_opened_by_person:
        message.is_opened, message.is_opened_by_person = True, not event.is_automatic
        fields += ["is_opened", "is_opened_by_person"]
    if rank > message.rank:
        message.rank, message.decided_by, message.status, message.status_at = rank, key, status, event.occurred_at
        message.reason, message.code = event.reason, event.code
        message.diagnostic, message.said_by = event.diagnostic, event.said_by
        fields += ["rank", "decided_by", "status", "status_at", "reason", "code", "diagnostic", "said_by"]
        if status == Status.DEFERRED and message.due_at is None:
            message.due_at = (message.sent_at or event.occurred_at) + GIVES_UP_AFTER[channel]
            fields.append("due_at")
    if message.is_opened and message.status == Status.DELIVERED:
        message.status = Status.OPENED
        fields.append("status")
    return fields


def _block(message: Message, event: Event, key: UUID) -> None:
    proof = {
        "started_at": event.occurred_at, "cause": "one_hard_bounce", "reason": event.reason, "code": event.code,
        "diagnostic": event.diagnostic, "message_id": message.pk, "event_key": key,
    }  # fmt: skip
    _, is_new = Block.objects.get_or_create(address_id=message.address_id, ended_at=None, defaults=proof)
    if is_new and message.contact_id:
        Change.objects.create(
            contact_id=message.contact_id, kind=Change.Kind.BLOCKED, field=str(message.address_id), new=event.code,
            why=event.reason, message_id=message.pk,
        )  # fmt: skip
