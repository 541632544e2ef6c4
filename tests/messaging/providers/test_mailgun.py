"""Mailgun: HMAC-SHA256 of a time and a token, all three in the body ("Securing webhooks")."""

import hmac
import json
from typing import Any

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import FORM, JSON, KEY, NEW_KEY, OTHER_KEY, ago, post, takes

TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"mailgun": [KEY, NEW_KEY]}


def signature(key: str = KEY, at: object = None) -> dict[str, Any]:
    timestamp = str(ago(seconds=1) if at is None else at)
    made = hmac.digest(key.encode(), f"{timestamp}{TOKEN}".encode(), "sha256").hex()
    return {"timestamp": timestamp, "token": TOKEN, "signature": made}


def asked(signature: object, content_type: str = JSON) -> HttpRequest:
    body = json.dumps({"signature": signature, "event-data": {"event": "delivered"}}).encode()
    return post("mailgun", body, {}, content_type=content_type)


@pytest.mark.parametrize(
    ("said", "is_good"),
    [
        (signature(), True),
        (signature(NEW_KEY), True),
        # The last try comes 8 hours and 5 minutes after the first.
        (signature(at=ago(hours=9)), True),
        (signature(OTHER_KEY), False),
        (signature(""), False),
        (signature(at=ago(hours=13)), False),
        (signature(at=ago(hours=-13)), False),
        (signature(at="soon"), False),
        (signature(at=""), False),
        (signature() | {"timestamp": str(ago(seconds=2))}, False),
        (signature() | {"token": "another"}, False),
        (signature() | {"signature": ""}, False),
        (signature() | {"signature": 7}, False),
        ({}, False),
        (None, False),
        ([], False),
    ],
)
def test_only_what_a_key_of_ours_signed_lately_is_taken(said: object, is_good: bool) -> None:
    assert takes("mailgun", asked(said)) == is_good


@pytest.mark.parametrize("name", ["timestamp", "token", "signature"])
def test_what_lacks_a_part_of_the_signature_is_refused(name: str) -> None:
    said = signature()
    del said[name]

    assert not takes("mailgun", asked(said))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000])
def test_what_is_not_signed_is_refused(body: bytes) -> None:
    assert not takes("mailgun", post("mailgun", body, {}))


def test_a_legacy_form_is_refused() -> None:
    fields = "&".join(f"{name}={value}" for name, value in signature().items()).encode()

    assert not takes("mailgun", post("mailgun", fields, {}, content_type=FORM))
    assert not takes("mailgun", asked(signature(), content_type="text/plain"))


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    for keys in ({}, {"mailgun": [""]}):
        settings.WEBHOOK_KEYS = keys
        assert not takes("mailgun", asked(signature("")))
        assert not providers()["mailgun"].is_set_up()
