"""What is known of messages that were marked, and which of them may leave: blocks and consent are asked once more."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Channel
from contacts.sql import columns, numbers
from messaging.delivery import sql
from messaging.delivery.statements import execute
from messaging.delivery.transport import DeliveryOutcome, Ready, Transport
from messaging.ledger.record import OURSELVES
from messaging.models import Content, SendOut
from messaging.sendouts.contents import Person
from messaging.status.order import Event, Kind

NOT_SENT: Final = "suppressed"


class Loaded(NamedTuple):
    """A message to hand over. (The columns of sql.LOAD, in order.)"""

    id: int
    attempt: int
    first_second: float
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
    is_single: bool
    is_deleted: bool

    @property
    def first_at(self) -> datetime:
        """When it was first tried."""
        return datetime.fromtimestamp(self.first_second, UTC)


def prepare(marked: Sequence[int], way: Transport) -> tuple[dict[int, Loaded], list[DeliveryOutcome], list[Ready]]:
    """What is known of marked messages, the events of those that may not leave, and those that may."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LOAD, [numbers(marked)])
        loaded = [Loaded(*row) for row in cursor.fetchall()]
    send_outs = SendOut.objects.in_bulk({each.send_out_id for each in loaded})
    outcomes, ready = list[DeliveryOutcome](), list[Ready]()
    for each in loaded:
        refusal = _why_not(each, send_outs[each.send_out_id])
        if refusal is not None:
            outcomes.append(DeliveryOutcome(refusal))
        else:
            ready.append(_ready(each, send_outs[each.send_out_id]))
    _set_parts(ready, way)
    return {each.id: each for each in loaded}, outcomes, ready


def _set_parts(ready: Sequence[Ready], way: Transport) -> None:
    long = [(each.id, parts) for each in ready if (parts := way.parts_of(each)) != 1]
    if long:
        execute(sql.SET_PARTS, columns(long))


def _why_not(each: Loaded, send_out: SendOut) -> Event | None:
    """The event of a message that may not be sent any more; None where it may."""
    if each.is_blocked:
        why = _("Not sent: the address was blocked before its turn came.")
    elif each.is_opted_out and not send_out.is_transactional:
        why = _("Not sent: the person unsubscribed before its turn came.")
    elif each.is_deleted:
        # Nobody knows any more whether they wanted it.
        why = _("Not sent: the contact was deleted before its turn came.")
    else:
        return None
    return Event(
        OURSELVES, Kind.SOFT_BOUNCE, timezone.now(), f"{each.id} not sent", each.id,
        reason=NOT_SENT, diagnostic=why, said_by=OURSELVES,
    )  # fmt: skip


def _ready(each: Loaded, send_out: SendOut) -> Ready:
    is_email = send_out.channel == Channel.EMAIL
    person = Person(
        each.first_name or "", each.last_name or "", each.email or (each.address if is_email else ""),
        each.mobile or ("" if is_email else each.address), each.country or "", each.language or "",
    )  # fmt: skip
    content = _content(each.content_id)
    return Ready(
        each.id, each.attempt, each.address, send_out, content, person, each.is_on_list, each.is_single, each.first_at
    )


_CONTENTS: Final[dict[int, Content]] = {}


def _content(content_id: int) -> Content:
    """Contents never change."""
    if content_id not in _CONTENTS:
        if len(_CONTENTS) > 50:
            _CONTENTS.clear()
        _CONTENTS[content_id] = Content.objects.get(pk=content_id)
    return _CONTENTS[content_id]
