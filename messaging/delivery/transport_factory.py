"""Which way out each channel has: the one place where the settings become ways.

Only the ways that they name are loaded: each brings libraries along that every process would hold.
"""

from django.conf import settings

from contacts.models import Channel
from messaging.delivery.email_routes import Direct, Esp, Route
from messaging.delivery.throttle import Paced
from messaging.delivery.transport import Transport
from messaging.providers.http_route import HttpRoute


def check() -> None:
    """What is wrong with a gateway that a file describes stops the start; and a worker forks with its ways loaded."""
    for channel in Channel:
        way_of(channel)


def way_of(channel: str) -> Transport | None:
    """For a worker, not open yet. None where the settings give the channel none: then its messages wait.

    None for SMPP, too: `manage.py smpp` hands over by itself, over the sessions that it holds (smpp/sender.py).
    """
    route = settings.EMAIL_ROUTE
    if channel == Channel.EMAIL and route is not None:
        return Paced(_email_way(route), settings.EMAIL_LIMITS, is_direct=isinstance(route, Direct))
    if channel == Channel.SMS and isinstance(settings.SMS_ROUTE, HttpRoute):
        from messaging.delivery.transports.http_sms import ByGateway  # noqa: PLC0415 -- see above

        return ByGateway(settings.SMS_ROUTE)
    return None


def _email_way(route: Route | Esp) -> Transport:
    if isinstance(route, Esp):
        from messaging.delivery.transports.esp import ByEsp  # noqa: PLC0415 -- see above

        return ByEsp(route)
    from messaging.delivery.transports.smtp import BySmtp  # noqa: PLC0415 -- see above

    return BySmtp(route, settings.MAIL_NAME)


def slug_of(channel: str) -> str:
    """What Message.provider is for messages of the channel; "" where none can leave."""
    route = settings.EMAIL_ROUTE if channel == Channel.EMAIL else settings.SMS_ROUTE
    return str(route.slug) if route is not None else ""


check()
