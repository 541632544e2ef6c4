"""Hands over SMS through a session: one thread for each connection over which SMS leave (SMS_ROUTE).

In here and not in a Celery worker: operators allow few binds, an agreed rate is that of a connection, and a window that
stays open is what makes it fast. Several connections share what there is to send, batch by batch.
"""

import logging
from threading import Event, Thread
from time import monotonic
from typing import Final

from django.db import close_old_connections
from django.db import connections as databases

from contacts.models import Channel
from engage.frames import roomy
from messaging.delivery import dispatcher
from messaging.delivery.transports.smpp import BySmpp
from messaging.smpp.connections import Connection
from messaging.smpp.window import Window

log: Final = logging.getLogger(__name__)

# How late it is noticed that there is something to send; and what is waited after a fault, or when throttled.
LOOK_SECONDS: Final = 1.0
FAULT_SECONDS: Final = 5.0
# How often it is asked for single messages and what was put off.
AGAIN_SECONDS: Final = 2.0


class Sender(Thread):
    """Ends when the session does, or when it is to stop: then what is on its way is still waited for."""

    def __init__(self, connection: Connection, window: Window, stop: Event) -> None:
        super().__init__(name=f"{connection.name} sends")
        self.window = window
        self._way = BySmpp(connection, window)
        self._stopping = stop
        self._asked_at = 0.0

    @roomy
    def run(self) -> None:
        try:
            while not self._is_over():
                self._turn()
        finally:
            databases.close_all()

    def _is_over(self) -> bool:
        return self._stopping.is_set() or self.window.is_over

    def _goes_on(self) -> bool:
        return not (self._is_over() or self.window.is_throttled)

    def _turn(self) -> None:
        try:
            is_more = self._hand_over()
        except Exception:
            # Whatever it is, such as a database that is away: what was marked and has no event is settled as in doubt.
            log.exception("SMPP %s: handing over was interrupted.", self.name)
            close_old_connections()
            self._stopping.wait(FAULT_SECONDS)
            return
        if not is_more or self.window.is_throttled:
            self._stopping.wait(LOOK_SECONDS)

    def _hand_over(self) -> bool:
        """Whether there is more to do at once."""
        is_more = False
        for pk in dispatcher.waiting(Channel.SMS):
            if self._is_over():
                return False
            is_more |= dispatcher.hand_over_by(self._way, pk, goes_on=self._goes_on)
        if not self._is_over() and monotonic() - self._asked_at > AGAIN_SECONDS:
            self._asked_at = monotonic()
            is_more |= dispatcher.try_again_by(self._way, goes_on=self._goes_on) > 0
        return is_more
