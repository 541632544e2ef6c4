"""`manage.py tryout_receiver`: stand in for everybody's mail server, until SIGTERM or Ctrl-C. `make run` starts it."""

import asyncio
import ipaddress
import signal
from typing import Any

from aiosmtpd.smtp import SMTP
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.demo.receiver import Receiver
from messaging.incoming.listeners import Listener
from messaging.sendouts.handover.routes import Direct


class Command(BaseCommand):
    help = "Take all mail of an EMAIL_ROUTE such as mx://127.0.0.1:2525, and let happen to it what its address says."

    def handle(self, *_args: Any, **_options: Any) -> None:
        route = settings.EMAIL_ROUTE
        if not (isinstance(route, Direct) and _is_loopback(route.host)):
            raise CommandError("EMAIL_ROUTE must be like mx://127.0.0.1:2525: this is for trying out, on this machine.")
        if not settings.BOUNCE_LISTENERS:
            raise CommandError("Set BOUNCE_DOMAIN and BOUNCE_LISTEN, to where its bounces go.")
        asyncio.run(serve(route, settings.BOUNCE_LISTENERS[0]))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def serve(route: Direct, home: Listener) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    receiver = Receiver(home)
    server = await loop.create_server(
        lambda: SMTP(receiver, hostname="tryout.localhost", enable_SMTPUTF8=True), route.host, route.port
    )
    async with server:
        await stop.wait()
