"""What a marketer reads about a message, in plain words. Pure functions over its row."""

from datetime import datetime, timedelta
from typing import Final, Protocol

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts.addresses import display_mobile
from contacts.models import Channel
from messaging.bounces.reasons import OUTCOME_UNKNOWN, reason_of
from messaging.models import DeliveryEvent, Message
from messaging.providers.registry import label_of
from messaging.status.order import CONSENTS, Kind, Status

Text = str | Promise

BOUNCES: Final = frozenset({Status.SOFT_BOUNCE, Status.HARD_BOUNCE})
# What became of these has a reason that somebody gave.
REASONED: Final = BOUNCES | {Status.DEFERRED, Status.FAILED, Status.EXPIRED}
# These need an answer to "why": an information icon stands beside them.
NEED_WORDS: Final = REASONED | {Status.UNKNOWN, Status.UNTRACEABLE}

SAYS: Final[dict[Status, Text]] = {
    Status.WAITING: gettext_lazy("The message waits in our queue; it has not been handed over yet."),
    Status.UNKNOWN: gettext_lazy(
        "The message was handed over to %(provider)s. No delivery status has been received yet."
    ),
    Status.DELIVERED: gettext_lazy("The message arrived at %(address)s."),
    Status.OPENED: gettext_lazy("The message arrived at %(address)s and was opened."),
    Status.UNTRACEABLE: gettext_lazy(
        "The message to %(address)s travels through several parties, and none of them reports what became of it."
    ),
    Status.CONTROL_GROUP: gettext_lazy(
        "The person is in the control group of this send-out: the message was not sent, on purpose, to compare later."
    ),
}
ADVICE: Final[dict[Status, Text]] = {
    Status.UNKNOWN: gettext_lazy("Nothing: the status changes by itself as soon as there is news."),
    Status.DEFERRED: gettext_lazy("Nothing: attempts go on by themselves."),
    Status.UNTRACEABLE: gettext_lazy("Nothing: most such messages arrive. Do not take it for a failure."),
}
HINTS: Final[dict[Status, Text]] = {
    Status.UNKNOWN: gettext_lazy("No delivery status received yet"),
    Status.WAITING: gettext_lazy("Not handed over yet"),
    Status.UNTRACEABLE: gettext_lazy("Nobody on the way reports it"),
    Status.CONTROL_GROUP: gettext_lazy("Not sent, on purpose"),
}


class MessageState(Protocol):
    """What most words about a message depend on: a list knows no more of its rows than this."""

    @property
    def channel(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def parts(self) -> int: ...
    @property
    def parts_arrived(self) -> int: ...
    @property
    def is_probably_automatic(self) -> bool: ...
    @property
    def is_guessed(self) -> bool: ...


def says(message: Message) -> str:
    """What became of it, in one or two sentences."""
    return f"{guess()} {_says(message)}" if message.is_guessed else _says(message)


def guess() -> str:
    return _("A guess, since nothing proves that it is about this message; it blocks nobody.")


def _says(message: Message) -> str:
    status, address = Status(message.status), display_address(message)
    if status == Status.DEFERRED:
        on_hold = _("The receiving side has put the message on hold.")
        return f"{on_hold} {reason_of(message.reason).says(message.channel, address)}" if message.reason else on_hold
    if status in REASONED or is_outcome_unknown(message):
        return reason_of(message.reason).says(message.channel, address)
    sentence = str(SAYS[status]) % {"address": address, "provider": provider_name(message)}
    return f"{sentence} {automatic()}" if message.is_probably_automatic else sentence


def automatic() -> str:
    return _("Probably by a program that downloads the images of every email, not by a person.")


def is_outcome_unknown(message: MessageState) -> bool:
    """Whether nobody heard that it left, nor that it did not."""
    return message.status == Status.UNKNOWN and message.reason == OUTCOME_UNKNOWN


def advice(message: Message) -> str:
    """What to do about it; empty where there is nothing to explain."""
    status = Status(message.status)
    if is_outcome_unknown(message):
        return reason_of(message.reason).advice(message.channel)
    if status in ADVICE:
        return str(ADVICE[status])
    return reason_of(message.reason).advice(message.channel) if status in REASONED else ""


def hint(message: MessageState, now: datetime | None = None) -> str:
    """The few words under the status."""
    status = Status(message.status)
    if status == Status.OPENED:
        return _("Probably automatic") if message.is_probably_automatic else ""
    if status == Status.EXPIRED:
        return (
            f"{_('The provider stopped trying')} · {message.code}"
            if message.code
            else _("Not delivered within 48 hours")
        )
    if status in REASONED:
        parts = [reason_label(message), message.code, gives_up(message, now) if status == Status.DEFERRED else ""]
        return " · ".join(filter(None, parts))
    if status == Status.UNKNOWN and message.parts_arrived:
        counts = {"arrived": message.parts_arrived, "parts": message.parts}
        return _("%(arrived)d of %(parts)d parts arrived") % counts
    return _("In doubt whether it left") if is_outcome_unknown(message) else str(HINTS.get(status, ""))


def reason_label(message: MessageState) -> str:
    """The reason in two or three words; empty where nobody gave one."""
    if is_outcome_unknown(message):
        return reason_of(message.reason).label(message.channel)
    if Status(message.status) not in REASONED or (message.status == Status.DEFERRED and not message.reason):
        return ""
    if message.status == Status.SOFT_BOUNCE and message.reason == "expired" and not message.code:
        return _("Gave up after 72 hours")
    return reason_of(message.reason).label(message.channel)


def gives_up(message: MessageState, now: datetime | None = None) -> str:
    """When we stop waiting, such as "gives up Fri 14:05 (in 31 h)"."""
    if message.due_at is None:
        return ""
    left = message.due_at - (now or timezone.now())
    if left <= timedelta():
        return _("gives up any minute now")
    return _("gives up %(time)s (%(left)s)") % {"time": soon(message.due_at, left), "left": in_time(left)}


def soon(at: datetime, left: timedelta) -> str:
    return date_format(timezone.localtime(at), "D H:i" if left < timedelta(days=6) else "j M H:i")


def in_time(left: timedelta) -> str:
    minutes = max(1, round(left / timedelta(minutes=1)))
    if minutes < 60:
        return _glued(ngettext("in %(n)d min", "in %(n)d min", minutes) % {"n": minutes})
    hours = round(minutes / 60)
    return _glued(ngettext("in %(n)d h", "in %(n)d h", hours) % {"n": hours})


def _glued(text: str) -> str:
    """On one line: a unit alone on the next one reads badly."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def event_name(event: DeliveryEvent, channel: str) -> str:
    """What an event of the timeline is called; an SMS that waits on its way is not put off by anybody."""
    if event.kind == Kind.DEFERRED and channel == Channel.SMS:
        return _("On its way")
    if event.reason == OUTCOME_UNKNOWN:
        return reason_of(event.reason).label(channel)
    label = str(Kind(event.kind).label)
    # Consent and our own giving up need no reason: it would say the same again.
    if not event.reason or event.kind in CONSENTS or event.kind in (Kind.GAVE_UP, Kind.EXPIRED):
        return label
    return f"{label}: {reason_of(event.reason).label(channel)}"


def display_address(message: Message) -> str:
    return written(message.channel, message.address.value)


def written(channel: str, address: str) -> str:
    """An address as people write it."""
    return display_mobile(address) if channel == Channel.SMS else address


def masked(channel: str, address: str) -> str:
    """An address so that its owner knows it, and nobody else learns it: j•••@e•••.example, +46•••67."""
    if channel == Channel.SMS:
        return f"{address[:3]}•••{address[-2:]}"
    local, _at, domain = address.rpartition("@")
    _host, dot, last = domain.rpartition(".")
    return f"{local[:1]}•••@{domain[:1]}•••{dot}{last if dot else ''}"


def provider_name(message: Message) -> str:
    return label_of(message.provider) if message.provider else _("the provider")


def status_label(message: MessageState) -> str:
    """The status as the card names it."""
    if message.status == Status.CONTROL_GROUP:
        return _("Included in a control group")
    label = str(Status(message.status).label)
    return _("%(status)s (a guess)") % {"status": label} if message.is_guessed else label


def dialog_name(status: str) -> str:
    """What the dialog of a message with this status is called."""
    return _("Bounce details") if status in REASONED else _("Delivery details")
