"""Engage's own app (management commands, template tags) and its admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps


class EngageConfig(AppConfig):
    name = "engage"


class AdminConfig(apps.AdminConfig):
    default = False
    default_site = "engage.admin.AdminSite"
