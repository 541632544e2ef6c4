"""What the contact card reads of messages: always the message's own row, never its events."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, Self, TypedDict, cast

from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from contacts.models import Channel, Contact
from contacts.templatetags.looks import Clock, icon, in_dialog, moment
from messaging.card import explanations
from messaging.card.headings import Headings
from messaging.models import Message
from messaging.status.order import GUESSES, LOOKS, OPEN_STATUSES, Status
from messaging.templatetags.message_words import status_pill

NONE: Final = SafeString("")
# Older news than this hardly ever comes, so an old row that shows Unknown need not ask for it.
LIVE_FOR: Final = timedelta(days=7)


class ListedMessage(NamedTuple):
    """What is read of a message for its row; the send-out's words are None where it belongs to none.

    Fifty of these take a fifteenth of a page less than fifty messages with their send-outs and addresses.
    """

    pk: int
    channel: str
    status: str
    reason: str
    code: str
    due_at: datetime | None
    is_opened: bool
    is_opened_by_person: bool
    parts: int
    parts_arrived: int
    rank: int
    subject: str
    send_out_subject: str | None
    send_out_name: str | None
    sent_to: str
    contact_id: int | None
    content_id: int | None
    created_at: datetime
    sent_at: datetime | None


def listed(messages: "QuerySet[Message, Any]") -> "QuerySet[Message, ListedMessage]":
    """These messages as their rows need them."""
    named = messages.annotate(
        send_out_subject=F("send_out__subject"), send_out_name=F("send_out__name"), sent_to=F("address__value")
    )
    # Django makes a tuple of its own with these names.
    return cast("QuerySet[Message, ListedMessage]", named.values_list(*ListedMessage._fields, named=True))


def messages_of(contact: Contact) -> "QuerySet[Message]":
    return Message.objects.filter(contact=contact)


def is_live(message: ListedMessage, now: datetime | None = None) -> bool:
    """Whether the row is to look for news by itself."""
    if message.status not in OPEN_STATUSES and message.rank not in GUESSES:
        return False
    return (message.sent_at or message.created_at) > (now or timezone.now()) - LIVE_FOR


def version_of(message: ListedMessage | Message) -> str:
    """Changes whenever what the row shows changes."""
    opened = f"{message.is_opened:d}{message.is_opened_by_person:d}"
    return f"{message.status}-{message.rank:x}-{opened}-{message.parts_arrived}"


class MessageRow(TypedDict):
    """A message as the card lists it, all said; a template that asked for each word by itself would take twice as long.

    A dictionary, since that is where Django's templates look first. `opens`, `why`, `content` and `again` are links to
    what opens in the dialog, `news` is where a live row asks for news; empty where there is none. What is safe as it is
    says so: to escape it took a twentieth of the page.
    """

    pk: SafeString
    contact_id: int | None
    channel: SafeString
    title: str
    address: str
    status: str
    look: SafeString
    pill: SafeString
    hint: str
    opens: SafeString
    why: SafeString
    content: SafeString
    again: SafeString
    news: SafeString
    sent: SafeString


class RowState(NamedTuple):
    """What a row's words about its state depend on. Of the fifty in a list few differ."""

    channel: str
    status: str
    reason: str
    code: str
    due_at: datetime | None
    parts: int
    parts_arrived: int
    is_probably_automatic: bool
    is_guessed: bool

    @classmethod
    def of(cls, message: ListedMessage) -> Self:
        return cls(
            message.channel, message.status, message.reason, message.code,
            message.due_at if message.status == Status.DEFERRED else None, message.parts, message.parts_arrived,
            message.status == Status.OPENED and not message.is_opened_by_person, message.rank in GUESSES,
        )  # fmt: skip


class RowWords(NamedTuple):
    """A state as it is shown; `dialog` is what its information icon opens, empty where it has none.

    `content` and `again` name the two other icons, for any state: with the message's title in place of %s.
    """

    channel: SafeString
    status: str
    look: SafeString
    pill: SafeString
    hint: str
    dialog: str
    content: str
    again: str


def rows_of(messages: Iterable[ListedMessage], contact: Contact | None = None) -> list[MessageRow]:
    """The rows of these messages; headed as they were said to `contact`, where all are to the same."""
    clock = Clock.here()
    headings = Headings(contact)
    words: dict[RowState, RowWords] = {}
    rows: list[MessageRow] = []
    for message in messages:
        state = RowState.of(message)
        if state not in words:
            words[state] = words_of(state, clock)
        rows.append(row_of(message, words[state], clock, headings))
    return rows


def words_of(state: RowState, clock: Clock) -> RowWords:
    return RowWords(
        channel=icon(state.channel, str(Channel(state.channel).label)),
        status=explanations.status_label(state),
        look=SafeString(LOOKS[Status(state.status)][0]),
        pill=status_pill(state),
        hint=explanations.hint(state, clock.now),
        dialog=explanations.dialog_name(state.status) if state.status in explanations.NEED_WORDS else "",
        content=_("What it said: %s"),
        again=_("Send again: %s"),
    )


def row_of(message: ListedMessage, words: RowWords, clock: Clock, headings: Headings) -> MessageRow:
    details = f"{_messages_address()}{message.pk}/"
    of_send_out, name = message.send_out_subject or "", message.send_out_name or ""
    title = headings.of(message.subject, of_send_out, name, message.sent_at)
    return MessageRow(
        pk=SafeString(message.pk),
        contact_id=message.contact_id,
        channel=words.channel,
        title=title,
        address=explanations.written(message.channel, message.sent_to),
        status=words.status,
        look=words.look,
        pill=words.pill,
        hint=words.hint,
        opens=in_dialog(details),
        why=in_dialog(details, f"{words.dialog}: {title}") if words.dialog else NONE,
        content=in_dialog(f"{details}content/", words.content % title) if message.content_id else NONE,
        again=in_dialog(f"{details}again/", words.again % title) if message.content_id else NONE,
        news=SafeString(f"{details}row/?seen={version_of(message)}") if is_live(message, clock.now) else NONE,
        sent=moment(message.sent_at, clock),
    )


@cache
def _messages_address() -> str:
    """What the address of every message begins with; asking Django for each of them took a tenth of the page."""
    return reverse("messaging:details", args=[0]).removesuffix("0/")
