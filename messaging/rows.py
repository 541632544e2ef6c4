"""What the contact card reads of messages: always the message's own row, never its events."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, TypedDict

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from contacts.models import Channel, Contact
from contacts.templatetags.looks import icon, moment
from messaging import explain
from messaging.models import Message

# Older news than this hardly ever comes, so an old row that shows Unknown need not ask for it.
LIVE_FOR: Final = timedelta(days=7)
SHOWN: Final = (
    "channel", "send_out", "contact", "address", "subject", "content", "provider", "created_at", "sent_at", "due_at",
    "status", "rank", "is_opened", "is_opened_by_person", "parts", "parts_arrived", "reason", "code",
    "send_out__name", "send_out__subject", "address__value",
)  # fmt: skip


def with_names() -> "QuerySet[Message, Any]":
    """Messages with what a row names: the send-out and the address."""
    return Message.objects.select_related("send_out", "address")


def messages_of(contact: Contact) -> "QuerySet[Message, Any]":
    """As `with_names`, and no more than rows show: the rest took a sixth of the query's time."""
    return with_names().filter(contact=contact).only(*SHOWN)


def is_live(message: Message, now: datetime | None = None) -> bool:
    """Whether the row is to look for news by itself."""
    return not message.is_final and (message.sent_at or message.created_at) > (now or timezone.now()) - LIVE_FOR


def version_of(message: Message) -> str:
    """Changes whenever what the row shows changes."""
    opened = f"{message.is_opened:d}{message.is_opened_by_person:d}"
    return f"{message.status}-{message.rank:x}-{opened}-{message.parts_arrived}"


class Row(TypedDict):
    """A message as the card lists it, all said; a template that asked for each word by itself would take twice as long.

    A dictionary, since that is where Django's templates look first. `why` names the information icon, `content` is
    where its words are, `again` where it is sent again, `news` where a live row asks for news; empty where there is
    none. What is safe as it is says so: a row shows its number and addresses sixteen times, and to escape them took a
    twentieth of the page.
    """

    pk: SafeString
    channel: SafeString
    title: str
    address: str
    status: str
    look: SafeString
    icon: SafeString
    hint: str
    why: str
    details: SafeString
    content: SafeString
    again: SafeString
    news: SafeString
    sent: SafeString


def rows_of(messages: Iterable[Message]) -> list[Row]:
    now = timezone.now()
    return [row_of(message, now) for message in messages]


def row_of(message: Message, now: datetime) -> Row:
    title, details = message.title, f"{_messages_address()}{message.pk}/"
    return Row(
        pk=SafeString(message.pk),
        channel=icon(message.channel, str(Channel(message.channel).label)),
        title=title,
        address=explain.display_address(message),
        status=explain.status_label(message),
        look=SafeString(message.look),
        icon=icon(message.icon),
        hint=explain.hint(message, now),
        why=f"{explain.dialog_name(message.status)}: {title}" if message.status in explain.NEED_WORDS else "",
        details=SafeString(details),
        content=SafeString(f"{details}content/" if message.content_id else ""),
        again=SafeString(f"{details}again/"),
        news=SafeString(f"{details}row/?seen={version_of(message)}" if is_live(message, now) else ""),
        sent=moment(message.sent_at),
    )


@cache
def _messages_address() -> str:
    """What the address of every message begins with; asking Django for each of them took a tenth of the page."""
    return reverse("messaging:details", args=[0]).removesuffix("0/")
