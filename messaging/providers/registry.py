"""One folder per provider, which is found by itself (docs/contributors.md: how to add one).

Gateways that are described by configuration come on top (generic.py).
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from messaging.providers import proof
from messaging.providers.base import Provider
from messaging.providers.generic import gateways
from messaging.providers.sending import folders

HERE: Final = Path(__file__).parent
# What is no provider: ourselves, and our own ways out (delivery/email_routes.py).
OURS: Final = {"engage": "Engage", "relay": _("our mail relay"), "mx": _("the receiving mail server")}


@cache
def providers() -> dict[str, Provider]:
    """Every provider by its slug, which is the last part of its webhook's address."""
    built_in = {provider.slug: provider for provider in map(_provider_in, folders())}
    described = gateways(Path(settings.GATEWAYS_DIR), taken=built_in) if settings.GATEWAYS_DIR else {}
    return built_in | described


def _provider_in(folder: str) -> Provider:
    """What reads its reports is called after how they come."""
    found = {each.name for each in iter_modules([str(HERE / folder)])}
    module = import_module(f"{__package__}.{folder}.{'webhook' if 'webhook' in found else 'reports'}")
    provider: Provider = module.provider
    return provider


def check_keys() -> None:
    """Raises ImproperlyConfigured where a key in settings.WEBHOOK_KEYS cannot be one."""
    for provider in providers().values():
        proof.check_keys(provider)


def label_of(slug: str) -> str:
    """The provider's name as it writes itself; "Engage" for what we found out ourselves."""
    if slug in OURS:
        return str(OURS[slug])
    provider = providers().get(slug)
    return provider.label if provider else slug
