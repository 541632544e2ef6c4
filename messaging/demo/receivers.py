"""Where the try-out receivers are to listen, by the settings of the ways out: on this machine, and nowhere else."""

import ipaddress

from django.conf import settings

from messaging.sendouts.handover.routes import Direct
from messaging.sendouts.handover.sms_routes import Smpp
from messaging.smpp.connections import Connection


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
