"""`manage.py bounce_mailbox`: take bounce mail out of the mailboxes of IMAP_URLS, until SIGTERM or Ctrl-C."""

import signal
from threading import Event
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.incoming.keeper import read_all
from messaging.monitoring import health

STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


class Command(BaseCommand):
    help = "Take bounce mail out of the mailboxes of IMAP_URLS, until SIGTERM or Ctrl-C."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.IMAP_MAILBOXES:
            raise CommandError("No mailbox is set. Name one in IMAP_URLS: docs/providers/mail.md says how.")
        # Held back in every thread and asked for here: a handler could run in the middle of a lock.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        stop = Event()
        threads = read_all(settings.IMAP_MAILBOXES.values(), stop)
        with health.signs_of_life(health.BOUNCE_MAILBOX):
            signal.sigwait(STOPS)
        stop.set()
        for thread in threads:
            thread.join()
