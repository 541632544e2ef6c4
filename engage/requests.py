"""What no page has to think of: parameters that no database can hold, and answers without a page of their own."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.forms import TextInput
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.views.defaults import bad_request

NUL: Final = "\0"
TOO_MUCH: Final = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


class UnholdableError(SuspiciousOperation):
    """A NUL character in an address or a form: PostgreSQL's text cannot hold it. Answered with 400."""


class Guard:
    """Refuses what nobody can mean, and gives a page to answers that have none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code == 405 and "text/html" in request.headers.get("Accept", ""):
            allowed = response.headers.get("Allow", "")
            response = render(request, "405.html", status=405)
            response["Allow"] = allowed
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        # Webhooks read their own bodies, and what they keep is cleaned there.
        if getattr(view, "csrf_exempt", False):
            return None
        is_foul = NUL in unquote(request.path) or _holds_nul(request.GET)
        if is_foul or (request.method == "POST" and _holds_nul(request.POST)):
            raise UnholdableError("A NUL character in the address or the form.")
        return None


def not_understood(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The page for what cannot be read, with 413 where it is too much."""
    if isinstance(exception, TOO_MUCH):
        return render(request, "413.html", status=413)
    return bad_request(request, exception)


def _holds_nul(fields: QueryDict) -> bool:
    return any(NUL in name or any(NUL in value for value in values) for name, values in fields.lists())


class LoginForm(AuthenticationForm):
    """Django's says to the browser how long a name may be, and does not look itself."""

    username = UsernameField(
        max_length=AbstractUser._meta.get_field("username").max_length,
        widget=TextInput(attrs={"autofocus": True}),
    )
