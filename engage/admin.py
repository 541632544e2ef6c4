"""Engage's own look and words in the Django admin, as far as its hooks allow."""

# ruff: noqa: ARG002 -- Django's hooks hand over more than each of them needs

from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

OURS: Final = frozenset({"contacts", "messaging"})


class AdminSite(admin.AdminSite):
    site_header = _("Engage support")
    site_title = _("Engage support")
    index_title = _("Look things up, and put them right")
    # The places are in the bar instead (templates/admin/base_site.html), so that wide tables have room.
    enable_nav_sidebar = False

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Ours first, and each app's tables in the order in which they are registered: the most asked for first."""
        place = {model: number for number, model in enumerate(self._registry)}
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda found: place[found["model"]])
        return sorted(apps, key=lambda app: app["app_label"] not in OURS)

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one way in, the product's own; whoever is in already and may not be here is told so."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        return redirect_to_login(wanted, settings.LOGIN_URL)
