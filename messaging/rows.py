"""What the contact card reads of messages: always the message's own row, never its events."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, Self, TypedDict

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from contacts.models import Channel, Contact
from contacts.templatetags.looks import Clock, icon, in_dialog, moment
from messaging import explain
from messaging.models import Message
from messaging.statuses import Status

NONE: Final = SafeString("")
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

    A dictionary, since that is where Django's templates look first. `opens`, `why`, `content` and `again` are links to
    what opens in the dialog, `news` is where a live row asks for news; empty where there is none. What is safe as it is
    says so: to escape it took a twentieth of the page.
    """

    pk: SafeString
    channel: SafeString
    title: str
    address: str
    status: str
    look: SafeString
    icon: SafeString
    hint: str
    opens: SafeString
    why: SafeString
    content: SafeString
    again: SafeString
    news: SafeString
    sent: SafeString


class State(NamedTuple):
    """What a row's words about its state depend on. Of the fifty in a list few differ."""

    channel: str
    status: str
    reason: str
    code: str
    is_opened_by_person: bool
    parts: int
    parts_arrived: int
    due_at: datetime | None

    @classmethod
    def of(cls, message: Message) -> Self:
        due_at = message.due_at if message.status == Status.DEFERRED else None
        return cls(
            message.channel, message.status, message.reason, message.code, message.is_opened_by_person, message.parts,
            message.parts_arrived, due_at,
        )  # fmt: skip


class Words(NamedTuple):
    """A state as it is shown; `dialog` is what its information icon opens, empty where it has none.

    `content` and `again` name the two other icons, for any state: with the message's title in place of %s.
    """

    channel: SafeString
    status: str
    look: SafeString
    icon: SafeString
    hint: str
    dialog: str
    content: str
    again: str


def rows_of(messages: Iterable[Message]) -> list[Row]:
    clock = Clock.here()
    words: dict[State, Words] = {}
    rows: list[Row] = []
    for message in messages:
        state = State.of(message)
        if state not in words:
            words[state] = words_of(message, clock)
        rows.append(row_of(message, words[state], clock))
    return rows


def words_of(message: Message, clock: Clock) -> Words:
    return Words(
        channel=icon(message.channel, str(Channel(message.channel).label)),
        status=explain.status_label(message),
        look=SafeString(message.look),
        icon=icon(message.icon),
        hint=explain.hint(message, clock.now),
        dialog=explain.dialog_name(message.status) if message.status in explain.NEED_WORDS else "",
        content=_("What it said: %s"),
        again=_("Send again: %s"),
    )


def row_of(message: Message, words: Words, clock: Clock) -> Row:
    title, details = message.title, f"{_messages_address()}{message.pk}/"
    return Row(
        pk=SafeString(message.pk),
        channel=words.channel,
        title=title,
        address=explain.display_address(message),
        status=words.status,
        look=words.look,
        icon=words.icon,
        hint=words.hint,
        opens=in_dialog(details),
        why=in_dialog(details, f"{words.dialog}: {title}") if words.dialog else NONE,
        content=in_dialog(f"{details}content/", words.content % title) if message.content_id else NONE,
        again=in_dialog(f"{details}again/", words.again % title) if message.content_id else NONE,
        news=SafeString(f"{details}row/?seen={version_of(message)}" if is_live(message, clock.now) else ""),
        sent=moment(message.sent_at, clock),
    )


@cache
def _messages_address() -> str:
    """What the address of every message begins with; asking Django for each of them took a tenth of the page."""
    return reverse("messaging:details", args=[0]).removesuffix("0/")
