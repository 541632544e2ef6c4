"""MailerSend and Mailtrap sign the body with HMAC-SHA256, in hexadecimal. They sign no time, so nothing is too old."""

import hmac

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import KEY, NEW_KEY, OTHER_KEY, post, takes

BODY = '{"said": "något"}'.encode()
HEADERS = {"mailersend": "Signature", "mailtrap": "Mailtrap-Signature"}


@pytest.fixture(autouse=True, params=HEADERS)
def slug(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.WEBHOOK_KEYS = {request.param: [KEY, NEW_KEY]}
    return str(request.param)


def signed(slug: str, key: str, body: bytes = BODY, *, header: str = "") -> HttpRequest:
    return post(slug, body, {header or HEADERS[slug]: hmac.digest(key.encode(), BODY, "sha256").hex()})


def test_only_what_a_key_of_ours_signed_is_taken(slug: str) -> None:
    assert takes(slug, signed(slug, KEY))
    assert takes(slug, signed(slug, NEW_KEY))
    assert not takes(slug, signed(slug, OTHER_KEY))
    assert not takes(slug, signed(slug, ""))
    assert not takes(slug, signed(slug, KEY, BODY + b" "))
    assert not takes(slug, signed(slug, KEY, b""))


def test_without_a_signature_it_is_refused(slug: str) -> None:
    assert not takes(slug, post(slug, BODY, {}))
    assert not takes(slug, post(slug, BODY, {HEADERS[slug]: ""}))
    assert not takes(slug, post(slug, BODY, {HEADERS[slug]: "å"}))
    assert not takes(slug, signed(slug, KEY, header="X-Another"))


def test_without_a_key_everything_is_refused(slug: str, settings: Settings) -> None:
    for keys in ({}, {slug: [""]}):
        settings.WEBHOOK_KEYS = keys
        assert not takes(slug, signed(slug, ""))
        assert not providers()[slug].is_set_up()
