"""`manage.py tryout_receiver`: stand in for all mail servers and the mobile network, until SIGTERM or Ctrl-C.

`make run` starts it.
"""

import asyncio
import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.demo.receivers import listening, mail, phones

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Take all mail of an EMAIL_ROUTE such as mx://127.0.0.1:2525, and all SMS that SMS_ROUTE sends over a "
        "connection of SMPP_URLS to this machine; and let happen to them what their addresses say."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if mail() is None and not phones():
            raise CommandError(
                "Neither EMAIL_ROUTE nor SMS_ROUTE leads to this machine: this is for trying out. Set EMAIL_ROUTE to "
                "mx://127.0.0.1:2525, or SMPP_URLS to smpp://tryout:tryout@127.0.0.1:2775/tryout and SMS_ROUTE to smpp:"
            )
        if mail() is not None and not settings.BOUNCE_LISTENERS:
            log.warning("No mail is taken: set BOUNCE_DOMAIN and BOUNCE_LISTEN, to where its bounces would go.")
        asyncio.run(serve())


async def serve() -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with listening():
        await stop.wait()
