"""Emails by SMTP, to a relay or to the servers of the receiving domains (smtp.py)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from time import monotonic, time
from typing import Final

from django.conf import settings
from django.utils import timezone

from contacts.models import Channel
from messaging.incoming import addresses
from messaging.sendouts import contents
from messaging.sendouts.dkim import Key, keys_for
from messaging.sendouts.handover.answers import SCHEDULE, event_of
from messaging.sendouts.handover.routes import Route
from messaging.sendouts.handover.smtp import Outgoing, Post
from messaging.sendouts.handover.ways import Outcome, Ready

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

    def send_all(self, messages: Sequence[Ready]) -> Iterator[Outcome]:
        start = monotonic()
        for mail, answer in self._post.send_all([mail_of(each) for each in messages]):
            yield Outcome(event_of(answer, mail.message_id, mail.attempt, self.slug, timezone.now()))
        if len(messages) >= self.slice:
            _SLICES[self.slug] = next_slice(self.slice, monotonic() - start)


def next_slice(size: int, seconds: float) -> int:
    """How many mails to take next, after so many took so long."""
    if seconds < LEAST_SECONDS:
        return min(size * 2, LARGEST_SLICE)
    return max(size // 2, SMALLEST_SLICE) if seconds > MOST_SECONDS else size


def mail_of(message: Ready) -> Outgoing:
    """The mail, and whom the envelope says that it is from and to."""
    send_out, recipient, now = message.send_out, in_ascii(message.address), int(time())
    headers = contents.own_headers(recipient, message.token, _date(now), is_transactional=send_out.is_transactional)
    keys = _keys(send_out.sender) if settings.DKIM_KEYS else ()
    mail = contents.letter_for(send_out, message.content).mail(message.values, headers, keys, now)
    sender = addresses.return_path_of(message.token) if settings.BOUNCE_DOMAIN else send_out.sender
    return Outgoing(message.id, message.attempt, sender, recipient, mail)


def _keys(sender: str) -> tuple[Key, ...]:
    return keys_for(sender, settings.DKIM_KEYS)


@lru_cache(maxsize=4)
def _date(at: int) -> str:
    """As the Date header has it."""
    return format_datetime(datetime.fromtimestamp(at, UTC))


def in_ascii(address: str) -> str:
    """The address with its domain as the DNS knows it (RFC 5890)."""
    local, _at, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}" if not domain.isascii() else address
    except UnicodeError:
        return address
