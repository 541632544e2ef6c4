"""Who goes on with a send-out: a few workers at once, each for a turn, which ends by asking for the next one."""

import logging
from functools import partial
from typing import Final

from django.core.cache import cache

from engage.wake import send
from messaging.delivery import dispatcher
from messaging.delivery.heartbeat import beating

log = logging.getLogger(__name__)

# So many turns of one send-out at once. Reports wait for a worker that is free, so a turn is short (work.TURN_SECONDS).
PLACES: Final = 2
# Whoever has not asked for the next turn, nor told that it lives, after so many seconds has died, or waits behind very
# many others.
KEPT_SECONDS: Final = 30


def wake_all() -> None:
    """Have workers go on with each send-out that has something to hand over."""
    for pk in dispatcher.waiting():
        wake_worker(pk)


def wake_worker(send_out_id: int) -> None:
    """Have workers hand over soon, as many as are not at it. Without a broker the beat comes by; nothing is lost."""
    try:
        for place in range(PLACES):
            if cache.add(_key(send_out_id, place), 1, timeout=KEPT_SECONDS):
                _ask(send_out_id, place)
    except Exception as error:  # noqa: BLE001 -- whatever ails the broker, the beat comes by
        log.warning("The broker cannot be reached (%s).", type(error).__name__)


def take(send_out_id: int, place: int, seconds: float = dispatcher.TURN_SECONDS) -> None:
    """One turn of about so long. While there is more to hand over, the next one is asked for."""
    with beating(partial(_keep, send_out_id, place)):
        is_more = dispatcher.hand_over(send_out_id, seconds)
    try:
        if is_more:
            _keep(send_out_id, place)
            _ask(send_out_id, place)
        else:
            cache.delete(_key(send_out_id, place))
    except Exception as error:  # noqa: BLE001 -- as above
        log.warning("The broker cannot be reached (%s).", type(error).__name__)


def _keep(send_out_id: int, place: int) -> None:
    cache.set(_key(send_out_id, place), 1, timeout=KEPT_SECONDS)


def _ask(send_out_id: int, place: int) -> None:
    send("messaging.tasks.hand_over", send_out_id, place)


def _key(send_out_id: int, place: int) -> str:
    return f"messaging.handover.{send_out_id}.{place}"
