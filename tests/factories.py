"""Contacts, messages and what was said about them, quickly made."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from contacts.addresses import address_of
from contacts.history import save_contact
from contacts.models import Address, Block, Channel, Contact
from messaging.ledger.record import SourcedEvent
from messaging.models import Message, SendOut
from messaging.status.order import Event, Kind, Status
from messaging.suppression.follow import apply

NUMBERS = count(1)
PROVIDERS = {Channel.EMAIL: "sendgrid", Channel.SMS: "twilio"}


def make_user(group: str = "Marketers", username: str = "", password: str | None = None) -> User:
    """Somebody of the group (without one somebody who may do nothing); a password takes a while, so only if wanted."""
    user = User.objects.create_user(username or f"user{next(NUMBERS)}", password=password)
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def log_in(group: str = "Marketers") -> Client:
    """A browser in which somebody of the group is logged in."""
    client = Client()
    client.force_login(make_user(group), backend="engage.permissions.Backend")
    return client


def htmx(target: str = "panel") -> dict[str, str]:
    """The headers by which HTMX asks for a part of a page."""
    return {"HX-Request": "true", "HX-Target": target}


def make_contact(first_name: str = "Anna", last_name: str = "Lindqvist", **fields: Any) -> Contact:
    """A contact with an email of her own, unless `email` says otherwise; a mobile only where it is given."""
    fields.setdefault("email", f"anna{next(NUMBERS)}@example.se")
    contact = Contact(first_name=first_name, last_name=last_name, **fields)
    save_contact(contact, actor_id=None)
    return contact


def make_message(contact: Contact, *said: Event, channel: Channel = Channel.EMAIL, **fields: Any) -> Message:
    """A message sent an hour ago, or as the first happened that is said of it (or at `sent_at`), about which `said` was
    reported in that order, each by itself."""
    address = contact.email_address if channel == Channel.EMAIL else contact.mobile_address
    fields.setdefault("address", address or address_of(channel, "nobody@example.se"))
    fields.setdefault("provider", PROVIDERS[channel])
    fields.setdefault("sent_at", min([ago(hours=1), *(event.occurred_at for event in said)]))
    fields.setdefault("subject", f"Letter {next(NUMBERS)}")
    message = Message.objects.create(contact=contact, channel=channel, **fields)
    for event in said:
        report(message, event)
    message.refresh_from_db()
    return message


def report(message: Message, event: Event) -> None:
    """Let the event be reported about the message, by the way that every report goes."""
    named = Event(**{**as_fields(event), "message_id": message.pk})
    if apply([SourcedEvent(named)]):
        raise LookupError(message.pk)
    message.refresh_from_db()


def said(kind: Kind, at: datetime | None = None, **fields: Any) -> Event:
    """An event of the kind, half an hour ago unless told."""
    fields.setdefault("provider", "sendgrid")
    return Event(kind=kind, occurred_at=at or ago(minutes=30), idempotency_key=f"test {next(NUMBERS)}", **fields)


def hard_bounce(at: datetime | None = None, **fields: Any) -> Event:
    return said(
        Kind.HARD_BOUNCE, at, reason="user_unknown", reply_code="550", status_code="5.1.1",
        diagnostic="550 5.1.1 The email account that you tried to reach does not exist.", said_by="mx1.example.se",
        **fields,
    )  # fmt: skip


def block_of(contact: Contact) -> Block:
    """The block in force of the contact's email."""
    return Block.objects.get(address=contact.email_address, ended_at=None)


def make_many(contact: Contact, number: int, status: Status = Status.DELIVERED) -> list[Message]:
    """As many delivered emails, the newest last, without their events."""
    send_out = SendOut.objects.create(name="Weekly", channel=Channel.EMAIL, subject="Weekly letter")
    now = timezone.now()
    rows = [
        Message(
            contact=contact, channel=Channel.EMAIL, address=contact.email_address, provider="sendgrid",
            subject=f"Letter number {each}", send_out=send_out if each == 0 else None, status=status,
            sent_at=now - timedelta(days=number - each),
        )
        for each in range(number)
    ]  # fmt: skip
    return Message.objects.bulk_create(rows)


def address(value: str, channel: Channel = Channel.EMAIL) -> Address:
    return address_of(channel, value)


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def as_fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in Event.__dataclass_fields__}
