"""`manage.py smpp`: stay bound to the SMSCs of SMPP_URLS, take their receipts and send SMS, until SIGTERM or Ctrl-C."""

import signal
from threading import Event
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.delivery.sms_routes import Smpp
from messaging.smpp.keeper import keep_all_bound

STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


class Command(BaseCommand):
    help = "Stay bound to the SMSCs of SMPP_URLS, take their receipts and send SMS, until SIGTERM or Ctrl-C."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.SMPP_CONNECTIONS:
            raise CommandError("No SMSC is set. Name one in SMPP_URLS: docs/providers/smpp.md says how.")
        # Held back in every thread and asked for here: a handler could run in the middle of a lock.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        stop = Event()
        threads = keep_all_bound(settings.SMPP_CONNECTIONS.values(), stop, _sends)
        signal.sigwait(STOPS)
        stop.set()
        for thread in threads:
            thread.join()


def _sends(name: str) -> bool:
    route = settings.SMS_ROUTE
    return isinstance(route, Smpp) and route.takes(name)
