"""The try-out receivers, where the settings of the ways out lead: on this machine, and nowhere else."""

import asyncio
import errno
import ipaddress
import logging
from asyncio import Server
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from aiosmtpd.smtp import SMTP
from django.conf import settings

from messaging.delivery.email_routes import Direct
from messaging.delivery.sms_routes import Smpp
from messaging.demo.living import Calendar
from messaging.demo.phones import PhoneSession
from messaging.demo.receiver import Receiver
from messaging.smpp.connections import Connection

log = logging.getLogger(__name__)


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


@asynccontextmanager
async def listening() -> AsyncIterator[None]:
    """All of them listen within the block. Where somebody else does already, that one gets it, and the log says so."""
    loop, calendar = asyncio.get_running_loop(), Calendar()
    async with AsyncExitStack() as open_ones:
        open_ones.push_async_callback(calendar.close)
        if (route := mail()) is not None and settings.BOUNCE_LISTENERS:
            receiver = Receiver(settings.BOUNCE_LISTENERS[0], calendar)
            say = partial(SMTP, receiver, hostname="tryout.localhost", enable_SMTPUTF8=True)
            await _open(open_ones, loop.create_server(say, route.host, route.port), f"EMAIL_ROUTE, port {route.port}")
        for each in phones():
            server = loop.create_server(partial(PhoneSession, calendar), each.host, each.port)
            await _open(open_ones, server, f"SMPP_URLS, port {each.port}")
        yield


async def _open(open_ones: AsyncExitStack, server: Awaitable[Server], where: str) -> None:
    try:
        await open_ones.enter_async_context(await server)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        log.warning("%s: somebody else listens there, and gets what is sent. No try-out receiver was started.", where)
