"""What the contact card reads of messages: always the message's own row, never its events."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone

from contacts.models import Contact
from messaging.models import Message

# Older news than this hardly ever comes, so an old row that shows Unknown need not ask for it.
LIVE_FOR: Final = timedelta(days=7)


def with_names() -> "QuerySet[Message, Any]":
    """Messages with what a row names: the send-out and the address."""
    return Message.objects.select_related("send_out", "address")


def messages_of(contact: Contact) -> "QuerySet[Message, Any]":
    return with_names().filter(contact=contact)


def is_live(message: Message, now: datetime | None = None) -> bool:
    """Whether the row is to look for news by itself."""
    return not message.is_final and (message.sent_at or message.created_at) > (now or timezone.now()) - LIVE_FOR


def version_of(message: Message) -> str:
    """Changes whenever what the row shows changes."""
    opened = f"{message.is_opened:d}{message.is_opened_by_person:d}"
    return f"{message.status}-{message.rank:x}-{opened}"
