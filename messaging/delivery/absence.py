"""That a way out is away, as the workers share it: an alarm that starts, is tried at growing distances, and ends.

Nothing is asked of it for each message: a turn looks once whether the way out may be tried, and learns from what came
of its messages. Those that could not leave wait as if they had not been touched.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta

from contacts.models import Channel
from messaging.delivery import transport_factory
from messaging.delivery.away import Away
from messaging.delivery.transport import DeliveryOutcome, Held, Ready, Transport
from messaging.ledger.record import OURSELVES
from messaging.models import Alarm, Message, SendOut
from messaging.monitoring import alarms
from messaging.sendouts import lifecycle
from messaging.sendouts.models import State
from messaging.status.order import Caveat, Event, Kind

log = logging.getLogger(__name__)


class Watched:
    """A Transport (transport.py) around another one: what one turn of one worker knows of whether it is there."""

    def __init__(self, way: Transport) -> None:
        """One query."""
        self._way = way
        found = alarms.next_try(way.slug)
        self.was_away = found is not None
        # Not before: another worker has just tried in vain.
        self.may_try = found is None or found <= 0
        self.is_away = False
        self._found = list[DeliveryOutcome | Held]()

    @property
    def slug(self) -> str:
        return self._way.slug

    @property
    def channel(self) -> Channel:
        return self._way.channel

    @property
    def slice(self) -> int:
        return self._way.slice

    @property
    def schedule(self) -> Sequence[timedelta]:
        return self._way.schedule

    def __enter__(self) -> "Watched":
        self._way.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._way.__exit__(*error)

    def parts_of(self, message: Ready) -> int:
        return self._way.parts_of(message)

    def send_all(self, messages: Sequence[Ready]) -> Iterator[DeliveryOutcome | Held]:
        self._found = list(self._way.send_all(messages))
        yield from self._found

    def come_back(self) -> None:
        self.was_away = False
        end(self.slug)

    def learn(self) -> None:
        """From what became of the messages, once that is recorded."""
        found, self._found = self._found, []
        away = next((each.away for each in found if isinstance(each, Held) and each.away), None)
        if away is not None:
            self.was_away = self.is_away = True
            begin(self.slug, away)
        elif self.was_away and any(isinstance(each, DeliveryOutcome) and proves_presence(each.event) for each in found):
            self.come_back()


def begin(slug: str, away: Away) -> None:
    """Note that it is away; who says so while somebody is trying already counts once."""
    alarms.begin_away(slug, away.cause, away.words)


def end(slug: str) -> None:
    """It is there again: what Engage paused for its sake goes on."""
    if alarms.end_away(slug):
        for pk in paused_for(slug):
            _resume(pk)


def paused_for(slug: str) -> list[int]:
    """The send-outs that Engage itself has paused while this way out is away, the oldest first."""
    found = SendOut.objects.filter(state=State.PAUSED, waits_for=slug)
    return list(found.order_by("pk").values_list("pk", flat=True))


def end_needless() -> None:
    """Alarms of ways out that are none any more, or that nothing waits for: nobody would notice that they are back."""
    for alarm in Alarm.objects.filter(kind=Alarm.Kind.AWAY, ended_at=None):
        channel = next((each for each in Channel if transport_factory.slug_of(each) == alarm.provider), None)
        is_watched = channel is not None and transport_factory.way_of(channel) is None  # manage.py smpp does it
        if channel is None or not (is_watched or _is_awaited(channel, alarm.provider)):
            end(alarm.provider)


def proves_presence(event: Event) -> bool:
    """Whether somebody else than ourselves has said that."""
    if OURSELVES in (event.said_by, event.provider) or event.caveat == Caveat.OUTCOME_UNKNOWN:
        return False
    if event.kind in (Kind.ACCEPTED, Kind.TAKEN, Kind.DELIVERED):
        return True
    return bool(event.reply_code and event.said_by) or bool(event.provider_code)


def _is_awaited(channel: Channel, slug: str) -> bool:
    return (
        SendOut.objects.filter(channel=channel, state=State.SENDING).exists()
        or bool(paused_for(slug))
        or Message.objects.filter(channel=channel, next_attempt_at__isnull=False).exists()
    )


def _resume(send_out_id: int) -> None:
    log.info("Send-out %d goes on.", send_out_id)
    try:
        lifecycle.resume(send_out_id, None)
    except lifecycle.WrongStateError:  # somebody was faster
        return
