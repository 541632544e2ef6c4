"""Forms that come too late: the session has ended, or somebody logged in anew in another tab, which changes the token.

Nothing is done then, and what was typed is not lost: HTMX gets words to put on top of the form, which stays as it is
(and a token that is good again); a browser gets a page that holds what was typed and can send it once more.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse

# Tells engage.js to leave the form alone and put the words on top of it.
KEEPS: Final = "X-Keeps-Form"
UNSENT: Final = frozenset({"csrfmiddlewaretoken"})


def too_late(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 -- Django's CSRF_FAILURE_VIEW
    """The answer to a form whose token is not good (any more)."""
    return _kept(request, is_logged_out=not _is_logged_in(request))


class LoginRequired(LoginRequiredMiddleware):
    """Sends who is not logged in to log in; who sent a form gets it back."""

    def handle_no_permission(  # type: ignore[override]  # any response will do
        self, request: HttpRequest, view_func: Any
    ) -> HttpResponseBase:
        if request.method == "POST":
            return _kept(request, is_logged_out=True)
        return super().handle_no_permission(request, view_func)


def _kept(request: HttpRequest, *, is_logged_out: bool) -> HttpResponse:
    context: dict[str, Any] = {"is_logged_out": is_logged_out, "token": get_token(request)}
    if "HX-Request" in request.headers:
        response = render(request, "kept_form.html", context, status=403)
        response[KEEPS] = "yes"
        return response
    if _came_from_here(request) and request.path != reverse("login"):
        context |= {"typed": _typed(request), "lacks_files": bool(request.FILES)}
    return render(request, "403_csrf.html", context, status=403)


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What was typed; never a password."""
    typed = [(name, value) for name, values in request.POST.lists() if name not in UNSENT for value in values]
    return [] if any("password" in name for name, _value in typed) else typed


def _came_from_here(request: HttpRequest) -> bool:
    """Whether a page of ours sent it: what another site made up is not offered to be sent with a good token."""
    origin = request.headers.get("Origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.get_host()


def _is_logged_in(request: HttpRequest) -> bool:
    # Django looks for a bad token before it looks for who it is.
    return SESSION_KEY in request.session
