"""Engage's own look and words in the Django admin, as far as its hooks allow."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class AdminSite(admin.AdminSite):
    site_header = _("Engage support")
    site_title = _("Engage support")
    index_title = _("Look things up, and put them right")
