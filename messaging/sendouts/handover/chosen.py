"""Which way out each channel has: the one place where the settings become ways."""

from django.conf import settings

from contacts.models import Channel
from messaging.sendouts.handover.by_esp import ByEsp
from messaging.sendouts.handover.by_smtp import BySmtp
from messaging.sendouts.handover.pace import Paced
from messaging.sendouts.handover.routes import Direct, Esp
from messaging.sendouts.handover.ways import Way


def way_of(channel: str) -> Way | None:
    """Not open yet. None where the settings give the channel none; then its messages wait."""
    route = settings.EMAIL_ROUTE
    if channel == Channel.EMAIL and route is not None:
        way = ByEsp(route) if isinstance(route, Esp) else BySmtp(route, settings.MAIL_NAME)
        return Paced(way, settings.EMAIL_LIMITS, is_direct=isinstance(route, Direct))
    return None


def slug_of(channel: str) -> str:
    """What Message.provider is for messages of the channel; "" where none can leave."""
    way = way_of(channel)
    return way.slug if way is not None else ""
