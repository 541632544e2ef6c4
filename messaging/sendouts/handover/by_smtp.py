"""Emails by SMTP, to a relay or to the servers of the receiving domains (smtp.py)."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from time import monotonic, time
from typing import Final

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Channel
from engage.domains import in_ascii
from messaging.apply import OURSELVES
from messaging.incoming import addresses
from messaging.sendouts import contents
from messaging.sendouts.dkim import Key, keys_for
from messaging.sendouts.handover.answers import SCHEDULE, event_of
from messaging.sendouts.handover.routes import Route
from messaging.sendouts.handover.smtp import Outgoing, Post
from messaging.sendouts.handover.ways import Held, Outcome, Ready
from messaging.sendouts.letter import Letter
from messaging.statuses import Event, Kind
from messaging.tokens import token_of

log = logging.getLogger(__name__)

# So many mails leave between two looks at whether somebody pressed Pause: more where a server is fast, as each look has
# its price, fewer where it is slow, so that Pause takes effect within seconds.
FIRST_SLICE: Final = 50
SMALLEST_SLICE: Final = 10
LARGEST_SLICE: Final = 1000
LEAST_SECONDS: Final = 0.5
MOST_SECONDS: Final = 2.0
# By slug, what this process has found out.
_SLICES: Final[dict[str, int]] = {}


class BySmtp:
    """A Way (ways.py)."""

    channel: Final = Channel.EMAIL
    schedule: Final = SCHEDULE

    def __init__(self, route: Route, our_name: str) -> None:
        self._post = Post(route, our_name, connections=settings.EMAIL_CONNECTIONS)
        self.slug = self._post.slug

    @property
    def slice(self) -> int:
        return _SLICES.get(self.slug, FIRST_SLICE)

    def __enter__(self) -> "BySmtp":
        self._post.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._post.__exit__()

    def parts_of(self, _message: Ready) -> int:
        return 1

    def send_all(self, messages: Sequence[Ready]) -> Iterator[Outcome | Held]:
        start = monotonic()
        mails, unwritten = written(messages, self.slug)
        yield from unwritten
        for mail, answer in self._post.send_all(mails):
            yield Outcome(event_of(answer, mail.message_id, mail.attempt, self.slug, timezone.now()))
        if len(messages) >= self.slice:
            _SLICES[self.slug] = next_slice(self.slice, monotonic() - start)


def next_slice(size: int, seconds: float) -> int:
    """How many mails to take next, after so many took so long."""
    if seconds < LEAST_SECONDS:
        return min(size * 2, LARGEST_SLICE)
    return max(size // 2, SMALLEST_SLICE) if seconds > MOST_SECONDS else size


def written(messages: Sequence[Ready], slug: str) -> tuple[list[Outgoing], list[Outcome | Held]]:
    """The mails; and of each that cannot be written what follows, so that it does not take the others with it."""
    mails, unwritten = list[Outgoing](), list[Outcome | Held]()
    for each in messages:
        try:
            letter = contents.letter_for(each.send_out, each.content)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it would be so for everybody
            # No more than its kind: the words of errors may hold an address.
            log.error("The emails of send-out %d cannot be written: %s", each.send_out.pk, type(error).__name__)
            unwritten.append(Held(each, refusal=_("Its emails cannot be written. Look at the sender and the content.")))
            continue
        try:
            mails.append(_mail_of(each, letter))
        except Exception as error:  # noqa: BLE001 -- it must not take the others with it
            log.error("Email %d cannot be written: %s", each.id, type(error).__name__)
            unwritten.append(Outcome(_unwritten(each, slug)))
    return mails, unwritten


def _unwritten(message: Ready, slug: str) -> Event:
    return Event(
        slug, Kind.SOFT_BOUNCE, timezone.now(), message.repeat_id, message.id,
        reason="protocol_error", diagnostic=_("Not sent: the email could not be written for this contact."),
        said_by=OURSELVES,
    )  # fmt: skip


def mail_of(message: Ready) -> Outgoing:
    """The mail, and whom the envelope says that it is from and to."""
    return _mail_of(message, contents.letter_for(message.send_out, message.content))


def _mail_of(message: Ready, letter: Letter) -> Outgoing:
    # Not message.token, which would be kept: that takes a lock, and nobody asks again.
    send_out, token, recipient, now = message.send_out, token_of(message.id), in_ascii(message.address), int(time())
    values = contents.values_of(message.person, message.id)
    headers = contents.own_headers(recipient, token, _date(now), values, is_transactional=send_out.is_transactional)
    keys = _keys(send_out.sender) if settings.DKIM_KEYS else ()
    sender = addresses.return_path(message.id) if settings.BOUNCE_DOMAIN else in_ascii(send_out.sender)
    return Outgoing(message.id, message.attempt, sender, recipient, letter.mail(values, headers, keys, now))


def _keys(sender: str) -> tuple[Key, ...]:
    return keys_for(sender, settings.DKIM_KEYS)


@lru_cache(maxsize=4)
def _date(at: int) -> str:
    """As the Date header has it."""
    return format_datetime(datetime.fromtimestamp(at, UTC))
