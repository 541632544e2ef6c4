"""`manage.py bounce_server`: take bounce mail by SMTP and LMTP, until SIGTERM or Ctrl-C."""

import asyncio
import signal
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.inbox.writer import ReportWriter
from messaging.incoming.clerk import Clerk
from messaging.incoming.server import BounceServer, tls_of
from messaging.monitoring import health

STOPS: Final = (signal.SIGTERM, signal.SIGINT)


class Command(BaseCommand):
    help = "Take bounce mail by SMTP and LMTP at BOUNCE_LISTEN, until SIGTERM or Ctrl-C."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.BOUNCE_LISTENERS:
            raise CommandError("Set BOUNCE_DOMAIN and BOUNCE_LISTEN: docs/providers/mail.md says how.")
        clerk = Clerk(ReportWriter("Bounce mail"))
        try:
            asyncio.run(serve(clerk))
        except OSError as error:
            raise CommandError(f"Cannot listen, or read BOUNCE_TLS_CERT or BOUNCE_TLS_KEY: {error}") from error
        finally:
            clerk.close()


async def serve(clerk: Clerk) -> None:
    """Raises OSError."""
    stop = asyncio.Event()
    for number in STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tls = tls_of(settings.BOUNCE_TLS_CERT, settings.BOUNCE_TLS_KEY)
    server = BounceServer(clerk, settings.BOUNCE_DOMAIN, settings.REPORT_MAX_BYTES, tls)
    await server.start(settings.BOUNCE_LISTENERS)
    with health.signs_of_life(health.BOUNCE_SERVER):
        await stop.wait()
    await server.stop()
