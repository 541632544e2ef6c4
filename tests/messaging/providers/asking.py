"""Requests as providers send them, and whether they are taken."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from time import time

from django.http import HttpRequest
from django.test import RequestFactory

from messaging.providers.base import ForgedError
from messaging.providers.registry import providers

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
OUR_ADDRESS = "https://engage.example.org"
KEY, NEW_KEY, OTHER_KEY = "the-old-key", "the-new-key", "somebody-else's"


def post(
    slug: str, body: bytes, headers: Mapping[str, str], *, query: str = "", content_type: str = JSON
) -> HttpRequest:
    address = f"/webhooks/{slug}/{query}"
    return RequestFactory().post(address, body, content_type=content_type, headers=dict(headers))


def get(slug: str, query: str, headers: Mapping[str, str]) -> HttpRequest:
    return RequestFactory().get(f"/webhooks/{slug}/?{query}", headers=dict(headers))


def takes(slug: str, request: HttpRequest) -> bool:
    try:
        providers()[slug].verify(request)
    except ForgedError:
        return False
    return True


def ago(**of: float) -> int:
    """Unix seconds."""
    return int(time() - timedelta(**of).total_seconds())


def basic(user_and_password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(user_and_password.encode()).decode()}
