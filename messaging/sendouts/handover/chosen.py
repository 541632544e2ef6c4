"""Which way out each channel has: the one place where the settings become ways."""

from django.conf import settings

from contacts.models import Channel
from messaging.sendouts.handover.by_smtp import BySmtp
from messaging.sendouts.handover.ways import Way


def way_of(channel: str) -> Way | None:
    """Not open yet. None where the settings give the channel none; then its messages wait."""
    if channel == Channel.EMAIL and settings.EMAIL_ROUTE is not None:
        return BySmtp(settings.EMAIL_ROUTE, settings.MAIL_NAME)
    return None


def slug_of(channel: str) -> str:
    """What Message.provider is for messages of the channel; "" where none can leave."""
    way = way_of(channel)
    return way.slug if way is not None else ""
