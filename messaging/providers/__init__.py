"""One file per provider; a file that holds a `provider` is found by itself (docs/contributors.md: how to add one)."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from messaging.providers.base import Provider


@cache
def providers() -> dict[str, Provider]:
    """Every provider by its slug, which is the last part of its webhook's address."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    found = (module.provider for module in modules if hasattr(module, "provider"))
    return {provider.slug: provider for provider in found}


def label_of(slug: str) -> str:
    """The provider's name as it writes itself; "Engage" for what we found out ourselves."""
    if slug == "engage":
        return "Engage"
    provider = providers().get(slug)
    return provider.label if provider else slug
