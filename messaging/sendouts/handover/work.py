"""Handing over what waits, batch by batch, and trying again what was put off. docs/contributors.md, A send-out's life.

In doubt nobody gets a second copy: a message is marked in a transaction of its own before it leaves. A worker that
dies in between leaves it marked; it then shows Unknown, and says why, until its provider reports.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Channel, Contact
from contacts.sql import array, columns
from messaging.apply import OURSELVES, Said, apply
from messaging.incoming import addresses
from messaging.models import Batch, Content, SendOut
from messaging.sendouts import contents
from messaging.sendouts.handover import sql
from messaging.sendouts.handover.answers import event_of, next_attempt
from messaging.sendouts.handover.smtp import Outgoing, Post
from messaging.sendouts.models import State
from messaging.statuses import GIVES_UP_AFTER, Caveat, Event, Kind, key_of
from messaging.tokens import token_of

log = logging.getLogger(__name__)

# So many leave between two looks at whether somebody pressed Pause, and share a transaction.
SLICE: Final = 50
# A worker that has not been heard of for so long is dead; sending a slice takes less.
SILENT_AFTER: Final = timedelta(minutes=10)
# A task hands over for so long, then makes room for others: reports must not wait for a large send-out.
TURN_SECONDS: Final = 2.0
NOT_SENT: Final = "suppressed"


class Loaded(NamedTuple):
    """A message to hand over. (The columns of sql.LOAD, in order.)"""

    id: int
    attempt: int
    first_at: datetime
    send_out_id: int
    content_id: int
    address: str
    is_blocked: bool
    is_opted_out: bool
    first_name: str | None
    last_name: str | None
    email: str | None
    mobile: str | None
    country: str | None
    language: str | None
    is_on_list: bool


def hand_over(send_out_id: int, seconds: float = TURN_SECONDS) -> bool:
    """Hand over messages of a send-out, for about so long. Returns whether there are more.

    Safe with any number of workers at once; ends within a slice when the send-out is paused or cancelled.
    """
    if settings.EMAIL_ROUTE is None or not SendOut.objects.filter(pk=send_out_id, channel=Channel.EMAIL).exists():
        return False
    until = time.monotonic() + seconds
    with Post(settings.EMAIL_ROUTE, settings.MAIL_NAME) as post:
        while _hand_over_batch(send_out_id, post, until):
            if time.monotonic() >= until:
                return True
    return False


def nudge_all() -> None:
    """Have a worker go on with each send-out that has something to hand over."""
    waiting = Batch.objects.filter(send_out__state=State.SENDING, done_at=None)
    for pk in waiting.values_list("send_out", flat=True).distinct():
        nudge(pk)


def nudge(send_out_id: int) -> None:
    """Have a worker hand over soon. Without a broker the beat comes by; nothing is lost."""
    from messaging.tasks import hand_over as task  # noqa: PLC0415 -- tasks import this module

    try:
        if cache.add(f"messaging.handover.{send_out_id}", 1, timeout=4):
            task.delay(send_out_id)
    except Exception as error:  # noqa: BLE001 -- whatever ails the broker, the beat comes by
        log.warning("The broker cannot be reached (%s).", type(error).__name__)


def try_again(limit: int = 500) -> int:
    """Try what was put off and is due, and single messages. Returns how many were tried."""
    if settings.EMAIL_ROUTE is None:
        return 0
    done = 0
    with Post(settings.EMAIL_ROUTE, settings.MAIL_NAME) as post:
        while done < limit:
            marked = _mark_again(post.slug)
            if not marked:
                break
            doubtful = _without_outcome(marked, post.slug)
            _leave_in_doubt(doubtful)
            if sure := sorted(marked.keys() - doubtful):
                _send(sure, post)
            done += len(marked)
    return done


def _mark_again(slug: str) -> dict[int, int]:
    """Messages to try now, each with the number of its attempt before."""
    of: Any = {"provider": slug, "limit": SLICE, "silent": SILENT_AFTER}
    with connection.cursor() as cursor:
        cursor.execute(sql.MARK_AGAIN, of)
        return dict(cursor.fetchall())


def _without_outcome(marked: Mapping[int, int], slug: str) -> set[int]:
    """Those whose last attempt a worker began, and told nothing about: only one that was put off comes here again."""
    keys = {
        key_of(Event(slug, Kind.DEFERRED, timezone.now(), f"{pk} {attempt}")): pk
        for pk, attempt in marked.items()
        if attempt
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.KNOWN_KEYS, [array(keys)])
        return set(keys.values()) - {keys[key] for (key,) in cursor.fetchall()}


def _hand_over_batch(send_out_id: int, post: Post, until: float) -> bool:
    """Whether there was one. It is handed over to its end, or let go at the time `until`."""
    silent: Any = SILENT_AFTER
    with connection.cursor() as cursor:
        cursor.execute(sql.CLAIM_BATCH, [send_out_id, silent])
        claimed = cursor.fetchone()
    if claimed is None:
        return False
    batch_id, first, last = claimed
    _settle_doubtful(send_out_id, first, last)
    of = {"send_out": send_out_id, "first": first, "last": last, "limit": SLICE, "provider": post.slug}
    while _execute(sql.HOLD_BATCH, [batch_id]):
        marked = _ids(sql.MARK, of)
        if not marked:
            _execute(sql.END_BATCH, [batch_id])
            return True
        _send(marked, post)
        if time.monotonic() >= until:
            _execute(sql.RELEASE_BATCH, [batch_id])
            return True
    _execute(sql.RELEASE_BATCH, [batch_id])
    return False


def _send(marked: Sequence[int], post: Post) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.LOAD, [list(marked)])
        loaded = [Loaded(*row) for row in cursor.fetchall()]
    send_outs = SendOut.objects.in_bulk({each.send_out_id for each in loaded})
    events, mails = list[Event](), list[Outgoing]()
    for each in loaded:
        refusal = _why_not(each, send_outs[each.send_out_id])
        if refusal is not None:
            events.append(refusal)
        else:
            mails.append(_mail(each, send_outs[each.send_out_id]))
    answers = [(mail, answer, timezone.now()) for mail, answer in post.send_all(mails)]
    by_id = {each.id: each for each in loaded}
    events += [event_of(answer, mail.message_id, mail.attempt, post.slug, at) for mail, answer, at in answers]
    _record(events, by_id)


def _record(events: Sequence[Event], by_id: dict[int, Loaded]) -> None:
    """The events, and when to try again what was put off, in one transaction."""
    plans = [(event.message_id, _again(event, by_id)) for event in events]
    # Of a first attempt that has an outcome, nothing is on the list.
    needed = [(pk, at) for pk, at in plans if pk is not None and (at or by_id[pk].is_on_list)]
    with transaction.atomic():
        apply([Said(event) for event in events])
        if needed:
            _execute(sql.PLAN, columns(needed))


def _again(event: Event, by_id: dict[int, Loaded]) -> datetime | None:
    if event.kind != Kind.DEFERRED or event.message_id is None:
        return None
    of = by_id[event.message_id]
    return next_attempt(of.attempt, of.first_at, event.occurred_at, GIVES_UP_AFTER[Channel.EMAIL])


def _why_not(each: Loaded, send_out: SendOut) -> Event | None:
    """What is said of a message that may not be sent any more."""
    if each.is_blocked:
        why = _("Not sent: the address was blocked before its turn came.")
    elif each.is_opted_out and not send_out.is_transactional:
        why = _("Not sent: the person unsubscribed before its turn came.")
    else:
        return None
    return Event(
        OURSELVES, Kind.SOFT_BOUNCE, timezone.now(), f"{each.id} not sent", each.id,
        reason=NOT_SENT, diagnostic=why, said_by=OURSELVES,
    )  # fmt: skip


def _mail(each: Loaded, send_out: SendOut) -> Outgoing:
    contact = Contact(
        first_name=each.first_name or "", last_name=each.last_name or "", email=each.email or each.address,
        mobile_digits=each.mobile or "", country=each.country or "", language=each.language or "",
    )  # fmt: skip
    token = token_of(each.id)
    content = _content(each.content_id)
    headers = contents.own_headers(
        in_ascii(each.address), token, format_datetime(timezone.now()), is_transactional=send_out.is_transactional
    )
    mail = contents.letter_for(send_out, content).mail(contents.values_of(contact, token), headers)
    sender = addresses.return_path(each.id) if settings.BOUNCE_DOMAIN else send_out.sender
    return Outgoing(each.id, each.attempt, sender, in_ascii(each.address), mail)


def in_ascii(address: str) -> str:
    """The address with its domain as the DNS knows it (RFC 5890)."""
    local, _at, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}" if not domain.isascii() else address
    except UnicodeError:
        return address


_CONTENTS: Final[dict[int, Content]] = {}


def _content(content_id: int) -> Content:
    """Contents never change."""
    if content_id not in _CONTENTS:
        if len(_CONTENTS) > 50:
            _CONTENTS.clear()
        _CONTENTS[content_id] = Content.objects.get(pk=content_id)
    return _CONTENTS[content_id]


def _settle_doubtful(send_out_id: int, first: int, last: int) -> None:
    """What a worker before us marked, and told nothing about."""
    _leave_in_doubt(_ids(sql.DOUBTFUL, [send_out_id, first, last]))


def _leave_in_doubt(doubtful: Collection[int]) -> None:
    """They may have left, so they are not sent again; what becomes of them is the provider's to say."""
    if not doubtful:
        return
    log.warning("A worker died with %d messages in hand.", len(doubtful))
    now = timezone.now()
    with transaction.atomic():
        apply([
            Said(Event(OURSELVES, Kind.ACCEPTED, now, f"{pk} in doubt", pk, caveat=Caveat.IN_DOUBT)) for pk in doubtful
        ])  # fmt: skip
        _execute(sql.PLAN, columns((pk, None) for pk in doubtful))


def _ids(statement: str, parameters: Any) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return sorted(pk for (pk,) in cursor.fetchall())


def _execute(statement: str, parameters: Sequence[Any]) -> int:
    """How many rows it was about."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
