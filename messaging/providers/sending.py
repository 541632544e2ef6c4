"""By which providers we can send, found by their folders (docs/contributors.md: how to add one).

settings.py asks which there are, so their packages say it; what sends is loaded only for the one that a route names.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from messaging.providers.esp import EspDescription

if TYPE_CHECKING:
    from messaging.providers.gateway import Gateway


def folders() -> list[str]:
    """The providers' folders, by name."""
    return [found.name for found in iter_modules([str(Path(__file__).parent)]) if found.ispkg]


@cache
def senders(channel: str) -> tuple[str, ...]:
    """The slugs of those by which we can send over the channel."""
    return tuple(slug for slug in folders() if getattr(_package(slug), "SENDS", "") == channel)


def route_options(slug: str) -> tuple[str, ...]:
    """What SMS_ROUTE must say of this gateway besides user and password."""
    found: tuple[str, ...] = getattr(_package(slug), "ROUTE_OPTIONS", ()) if slug in folders() else ()
    return found


def gateway_of(slug: str) -> "Gateway":
    """One of `senders("sms")`."""
    found: Gateway = import_module(f"{__package__}.{slug}.send").gateway
    return found


def esp_of(slug: str) -> EspDescription:
    """One of `senders("email")`."""
    found: EspDescription = import_module(f"{__package__}.{slug}.send").esp
    return found


def _package(slug: str) -> object:
    return import_module(f"{__package__}.{slug}")
