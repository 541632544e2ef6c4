"""Engage's own app (management commands, template tags) and its admin site."""

from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import apps
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class EngageConfig(AppConfig):
    name = "engage"


class AdminConfig(apps.SimpleAdminConfig):
    """The pages are loaded where they are shown (engage/urls.py) or checked: a worker does neither."""

    default = False
    default_site = "engage.admin.AdminSite"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_pages, checks.Tags.admin)


def _check_pages(**given: Any) -> list[checks.CheckMessage]:
    admin.autodiscover()
    return check_admin_app(**given)
