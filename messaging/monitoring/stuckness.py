"""Where Engage itself is stuck, in plain words, for the page Providers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from messaging.models import Alarm, SendOut
from messaging.monitoring import alarms, health

# What is so, and what to do first.
WORDS: Final = {
    Alarm.Kind.STILL: (
        _("A send-out stands still: it has emails or SMS to hand over, and nothing has left for ten minutes."),
        _("Nobody asked us to wait. Look whether workers are at work, what the log says, and restart the workers."),
    ),
    Alarm.Kind.QUEUE: (
        _("The queue does not move: what is to be done has waited for five minutes or more."),
        _("Look whether workers are at work and the broker has room. Nothing is lost; statuses stand still meanwhile."),
    ),
    Alarm.Kind.WRITES: (
        _("The database takes nothing that is to be written."),
        _("Look whether it has run out of room, or is a standby. Nothing leaves, and providers repeat their reports."),
    ),
}
# Of the send-outs that stand still, so many are named.
NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Stuck:
    """One thing that does not move; `send_outs` are those that stand still."""

    kind: Alarm.Kind
    since: datetime
    says: str | Promise
    advice: str | Promise
    send_outs: Sequence[SendOut] = ()


def stuck() -> list[Stuck]:
    found = [(Alarm.Kind(each.kind), each.started_at) for each in alarms.current() if each.provider == Alarm.ENGAGE]
    closed = alarms.closed_since()
    if closed is not None:
        found.append((Alarm.Kind.WRITES, closed))
    return [Stuck(kind, since, *WORDS[kind], _send_outs(kind)) for kind, since in found]


def _send_outs(kind: Alarm.Kind) -> Sequence[SendOut]:
    if kind != Alarm.Kind.STILL:
        return ()
    return list(SendOut.objects.filter(pk__in=health.standing_still()).order_by("pk")[:NAMED])
