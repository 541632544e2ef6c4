"""`manage.py tryout_receiver`: stand in for all mail servers and the mobile network, until SIGTERM or Ctrl-C.

`make run` starts it.
"""

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from aiosmtpd.smtp import SMTP
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.demo.living import Calendar
from messaging.demo.phones import Session
from messaging.demo.receiver import Receiver
from messaging.demo.receivers import mail, phones


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
            raise CommandError("Set BOUNCE_DOMAIN and BOUNCE_LISTEN, to where its bounces go.")
        asyncio.run(serve())


async def serve() -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    calendar = Calendar()
    async with AsyncExitStack() as open_ones:
        open_ones.push_async_callback(calendar.close)
        if (route := mail()) is not None:
            receiver = Receiver(settings.BOUNCE_LISTENERS[0], calendar)
            await open_ones.enter_async_context(
                await loop.create_server(
                    lambda: SMTP(receiver, hostname="tryout.localhost", enable_SMTPUTF8=True), route.host, route.port
                )
            )
        for each in phones():
            server = await loop.create_server(partial(Session, calendar), each.host, each.port)
            await open_ones.enter_async_context(server)
        await stop.wait()
