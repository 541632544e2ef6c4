"""`manage.py tryout_receiver`: stand in for all mail servers and the mobile network, until SIGTERM or Ctrl-C.

`make run` starts it.
"""

import asyncio
import ipaddress
import signal
from contextlib import AsyncExitStack
from typing import Any

from aiosmtpd.smtp import SMTP
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.demo.phones import Session
from messaging.demo.receiver import Receiver
from messaging.sendouts.handover.routes import Direct
from messaging.sendouts.handover.sms_routes import Smpp
from messaging.smpp.connections import Connection


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


def mail() -> Direct | None:
    """Where mail is to be taken."""
    route = settings.EMAIL_ROUTE
    return route if isinstance(route, Direct) and _is_loopback(route.host) else None


def phones() -> list[Connection]:
    """Where SMS are to be taken."""
    route = settings.SMS_ROUTE
    if not isinstance(route, Smpp):
        return []
    chosen = [each for each in settings.SMPP_CONNECTIONS.values() if route.takes(each.name)]
    return [each for each in chosen if _is_loopback(each.host) and not each.is_encrypted]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def serve() -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as open_ones:
        if (route := mail()) is not None:
            receiver = Receiver(settings.BOUNCE_LISTENERS[0])
            await open_ones.enter_async_context(
                await loop.create_server(
                    lambda: SMTP(receiver, hostname="tryout.localhost", enable_SMTPUTF8=True), route.host, route.port
                )
            )
        for each in phones():
            await open_ones.enter_async_context(await loop.create_server(Session, each.host, each.port))
        await stop.wait()
