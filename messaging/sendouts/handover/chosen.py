"""Which way out each channel has: the one place where the settings become ways."""

from django.conf import settings

from contacts.models import Channel
from messaging.sendouts.handover.by_gateway import ByGateway, gateway_of
from messaging.sendouts.handover.by_smtp import BySmtp
from messaging.sendouts.handover.sms_routes import Http
from messaging.sendouts.handover.ways import Way


def check() -> None:
    """What is wrong with a gateway that a file describes stops the start."""
    if isinstance(settings.SMS_ROUTE, Http):
        gateway_of(settings.SMS_ROUTE.slug)


def way_of(channel: str) -> Way | None:
    """For a worker, not open yet. None where the settings give the channel none: then its messages wait.

    None for SMPP, too: `manage.py smpp` hands over by itself, over the sessions that it holds (smpp/sender.py).
    """
    if channel == Channel.EMAIL and settings.EMAIL_ROUTE is not None:
        return BySmtp(settings.EMAIL_ROUTE, settings.MAIL_NAME)
    if channel == Channel.SMS and isinstance(settings.SMS_ROUTE, Http):
        return ByGateway(settings.SMS_ROUTE)
    return None


def slug_of(channel: str) -> str:
    """What Message.provider is for messages of the channel; "" where none can leave."""
    route = settings.EMAIL_ROUTE if channel == Channel.EMAIL else settings.SMS_ROUTE
    return str(route.slug) if route is not None else ""


check()
