"""What every page has in common: who may see it, and that HTMX gets a part of it where a browser gets the whole."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import replace_url
from django_htmx.middleware import HtmxDetails

from engage import keyset

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
# As many rows are shown at once where somebody comes back to a page.
MOST_ROWS = 1_000


class HtmxRequest(HttpRequest):
    """As pages get it: somebody is logged in."""

    htmx: HtmxDetails
    user: User


def page(*permissions: str, methods: tuple[str, ...] = ("GET", "HEAD")) -> Callable[[View], View]:
    """A page for those who hold all of `permissions`; others get 403. No cache may keep it: it shows personal data."""

    def decorate(view: View) -> View:
        allowed = permission_required(permissions, raise_exception=True)(view)
        varied = vary_on_headers("HX-Request", "HX-Target", "HX-History-Restore-Request")(allowed)
        return never_cache(require_http_methods(list(methods))(varied))

    return decorate


def is_partial(request: HtmxRequest) -> bool:
    """HTMX asks for a part. When it restores a page of the browser's history, it wants the whole."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def is_more(request: HtmxRequest) -> bool:
    """HTMX asks for the rows that follow those that are shown."""
    return is_partial(request) and request.htmx.target == "more"


def size_of(request: HtmxRequest) -> int:
    """How many rows a page is to show: as many as were there when somebody left it, if it is asked for by `rows`."""
    return keyset.SIZE if is_more(request) else rows_in_all(request)


def rows_in_all(request: HttpRequest) -> int:
    """With those that this request adds."""
    return min(max(keyset.number_in(request.GET.get("rows", "")) or keyset.SIZE, keyset.SIZE), MOST_ROWS)


def and_stay(request: HtmxRequest, response: HttpResponse) -> HttpResponse:
    """The response, with which the address of a page comes to name all the rows that it shows: for Back and Reload."""
    if is_more(request):
        asked = request.GET.copy()
        asked.pop("before", None)
        first = asked.pop("from", [""])[0]
        asked["rows"] = str(rows_in_all(request))
        if first:
            asked["before"] = first
        replace_url(response, f"{request.path}?{asked.urlencode()}")
    return response


def render_dialog(request: HtmxRequest, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
    """What opens in the dialog; without JavaScript a page of its own."""
    if is_partial(request):
        return render(request, template, context, status=status)
    return render(request, "dialog_page.html", {**context, "dialog": template}, status=status)
