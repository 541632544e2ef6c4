"""Emails by SMTP, to a relay or to the servers of the receiving domains (smtp.py)."""

from collections.abc import Iterator, Sequence
from email.utils import format_datetime
from typing import Final

from django.conf import settings
from django.utils import timezone

from contacts.models import Channel
from messaging.incoming import addresses
from messaging.sendouts import contents
from messaging.sendouts.handover.answers import SCHEDULE, event_of
from messaging.sendouts.handover.routes import Route
from messaging.sendouts.handover.smtp import Outgoing, Post
from messaging.sendouts.handover.ways import Outcome, Ready


class BySmtp:
    """A Way (ways.py)."""

    channel: Final = Channel.EMAIL
    slice: Final = 50
    schedule: Final = SCHEDULE

    def __init__(self, route: Route, our_name: str) -> None:
        self._post = Post(route, our_name)
        self.slug = self._post.slug

    def __enter__(self) -> "BySmtp":
        self._post.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._post.__exit__()

    def parts_of(self, _message: Ready) -> int:
        return 1

    def send_all(self, messages: Sequence[Ready]) -> Iterator[Outcome]:
        for mail, answer in self._post.send_all([mail_of(each) for each in messages]):
            yield Outcome(event_of(answer, mail.message_id, mail.attempt, self.slug, timezone.now()))


def mail_of(message: Ready) -> Outgoing:
    """The mail, and whom the envelope says that it is from and to."""
    send_out, recipient = message.send_out, in_ascii(message.address)
    headers = contents.own_headers(
        recipient, message.token, format_datetime(timezone.now()), is_transactional=send_out.is_transactional
    )
    mail = contents.letter_for(send_out, message.content).mail(message.values, headers)
    sender = addresses.return_path(message.id) if settings.BOUNCE_DOMAIN else send_out.sender
    return Outgoing(message.id, message.attempt, sender, recipient, mail)


def in_ascii(address: str) -> str:
    """The address with its domain as the DNS knows it (RFC 5890)."""
    local, _at, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}" if not domain.isascii() else address
    except UnicodeError:
        return address
