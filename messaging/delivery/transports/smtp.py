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
from messaging.bounces.classify import classify
from messaging.delivery.answers import SCHEDULE, MailAnswer, event_of
from messaging.delivery.away import WANTS_LOGIN, Away, AwayCause
from messaging.delivery.email_routes import Relay, Route
from messaging.delivery.transport import DeliveryOutcome, Held, Ready
from messaging.delivery.transports.smtp_pipeline import Outgoing, Post
from messaging.incoming import addresses
from messaging.ledger.record import OURSELVES
from messaging.sendouts import contents
from messaging.sendouts.dkim import Key, keys_for
from messaging.sendouts.mime_template import Letter
from messaging.status.order import Event, Kind
from messaging.tracking.tokens import token_of

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
# Where of so many domains, all written to for the first time, not one can be looked up or reached, it is our own
# network or resolver that is at fault; not so where this process has reached somebody within this time, seconds.
ENOUGH_DOMAINS: Final = 3
LATELY_SECONDS: Final = 300.0
_REACHED_AT: Final[dict[str, float]] = {}


class BySmtp:
    """A Transport (transport.py)."""

    channel: Final = Channel.EMAIL
    schedule: Final = SCHEDULE

    def __init__(self, route: Route, our_name: str) -> None:
        self._post = Post(route, our_name, connections=settings.EMAIL_CONNECTIONS)
        self.slug = self._post.slug
        self._is_relay = isinstance(route, Relay)

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

    def send_all(self, messages: Sequence[Ready]) -> Iterator[DeliveryOutcome | Held]:
        start = monotonic()
        mails, unwritten = written(messages, self.slug)
        yield from unwritten
        by_id = {each.id: each for each in messages}
        answers = [(by_id[mail.message_id], answer) for mail, answer in self._post.send_all(mails)]
        judged = by_relay if self._is_relay else by_strangers
        for message, answer, held in judged(answers):
            yield held or DeliveryOutcome(event_of(answer, message.id, message.attempt, self.slug, timezone.now()))
        if len(messages) >= self.slice:
            _SLICES[self.slug] = next_slice(self.slice, monotonic() - start)


Answered = tuple[Ready, MailAnswer]


def by_relay(answers: Sequence[Answered]) -> Iterator[tuple[Ready, MailAnswer, Held | None]]:
    """Of each answer of our only way, whether its message is held, as the relay is away or refuses us.

    What goes wrong with one message while others are taken is that one message's own.
    """
    is_any_taken = any(200 <= answer.reply < 300 for _message, answer in answers)
    for message, answer in answers:
        yield message, answer, _held_by_relay(message, answer, is_any_taken=is_any_taken)


def _held_by_relay(message: Ready, answer: MailAnswer, *, is_any_taken: bool) -> Held | None:
    if answer.cause is not None and not (is_any_taken and answer.cause == AwayCause.BROKEN_OFF):
        return Held(message, away=Away(answer.cause, answer.text))
    if answer.is_untried:
        return Held(message)
    wants_login = answer.reply in WANTS_LOGIN or (answer.reply >= 500 and is_relaying_denied(answer))
    if wants_login and not is_any_taken:
        return Held(message, away=Away(AwayCause.LOGIN, _without(message.address, f"{answer.said_by}: {answer.text}")))
    if answer.is_about_sender:
        text = f"{answer.said_by}: {answer.text}"
        return (
            Held(message, refusal=text) if answer.reply >= 500 else Held(message, away=Away(AwayCause.UNWILLING, text))
        )
    return None


def is_relaying_denied(answer: MailAnswer) -> bool:
    return classify(answer.text, reply_code=str(answer.reply), said_by=answer.said_by).reason == "relaying_denied"


def _without(address: str, text: str) -> str:
    return text.replace(address, "…")


def by_strangers(answers: Sequence[Answered]) -> Iterator[tuple[Ready, MailAnswer, Held | None]]:
    """Of each answer of the receiving domains' servers, whether its message is held, as we have no way to anybody."""
    away = _no_way(answers)
    for message, answer in answers:
        yield message, answer, Held(message, away=away) if away and _is_ours(answer) else None


def _no_way(answers: Sequence[Answered]) -> Away | None:
    ours = [(message, answer) for message, answer in answers if _is_ours(answer)]
    if len(ours) < len(answers):
        _REACHED_AT["mx"] = monotonic()
    lost = next((answer for _message, answer in ours if answer.cause == AwayCause.NOBODY), None)
    if lost is not None:
        return Away(AwayCause.NOBODY, lost.text)
    domains = {message.address.rpartition("@")[2] for message, _answer in ours if message.attempt == 1}
    was_reached = monotonic() - _REACHED_AT.get("mx", -LATELY_SECONDS) < LATELY_SECONDS
    if len(domains) < ENOUGH_DOMAINS or was_reached:
        return None
    return Away(AwayCause.NOBODY, next(answer.text for message, answer in ours if message.attempt == 1))


def _is_ours(answer: MailAnswer) -> bool:
    """Whether no server has said it: our resolver has, or our socket."""
    return answer.cause not in (None, AwayCause.UNWILLING)


def next_slice(size: int, seconds: float) -> int:
    """How many mails to take next, after so many took so long."""
    if seconds < LEAST_SECONDS:
        return min(size * 2, LARGEST_SLICE)
    return max(size // 2, SMALLEST_SLICE) if seconds > MOST_SECONDS else size


def written(messages: Sequence[Ready], slug: str) -> tuple[list[Outgoing], list[DeliveryOutcome | Held]]:
    """The mails; and of each that cannot be written what follows, so that it does not take the others with it."""
    mails, unwritten = list[Outgoing](), list[DeliveryOutcome | Held]()
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
            unwritten.append(DeliveryOutcome(_unwritten(each, slug)))
    return mails, unwritten


def _unwritten(message: Ready, slug: str) -> Event:
    return Event(
        slug, Kind.SOFT_BOUNCE, timezone.now(), message.idempotency_key, message.id,
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
    # Reports come to the return path; to a sender's own mailbox nobody wants one for each mail.
    envelope_id = token if settings.BOUNCE_DOMAIN else ""
    return Outgoing(
        message.id, message.attempt, sender, recipient, letter.mail(values, headers, keys, now), envelope_id
    )


def _keys(sender: str) -> tuple[Key, ...]:
    return keys_for(sender, settings.DKIM_KEYS)


@lru_cache(maxsize=4)
def _date(at: int) -> str:
    """As the Date header has it."""
    return format_datetime(datetime.fromtimestamp(at, UTC))
