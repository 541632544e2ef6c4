"""Mailchimp Transactional: HMAC-SHA1 over the address and the fields ("Authenticating webhook requests")."""

import hmac
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import FORM, KEY, NEW_KEY, OTHER_KEY, OUR_ADDRESS, post, takes

FIELDS = {"mandrill_events": '[{"event": "send", "note": "å & ä + 1%"}]', "another": ""}
ADDRESS = f"{OUR_ADDRESS}/webhooks/mandrill/?from=there"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"mandrill": [KEY, NEW_KEY]}
    settings.PUBLIC_URL = OUR_ADDRESS


def signed(key: str = KEY, *, address: str = ADDRESS, fields: dict[str, str] = FIELDS) -> HttpRequest:
    said = address + "".join(name + value for name, value in sorted(FIELDS.items()))
    made = b64encode(hmac.digest(key.encode(), said.encode(), "sha1")).decode()
    return asked(fields, {"X-Mandrill-Signature": made})


def asked(fields: dict[str, str], headers: dict[str, str]) -> HttpRequest:
    return post("mandrill", urlencode(fields).encode(), headers, query="?from=there", content_type=FORM)


def test_what_a_key_of_ours_signed_for_our_address_is_taken() -> None:
    assert takes("mandrill", signed())
    assert takes("mandrill", signed(NEW_KEY))


def test_everything_else_is_refused() -> None:
    for request in (
        signed(OTHER_KEY),
        # What Mandrill signs with before the webhook is made: everybody knows it.
        signed("test-webhook"),
        signed(""),
        signed(address="https://elsewhere.example.org/webhooks/mandrill/?from=there"),
        signed(address=f"{OUR_ADDRESS}/webhooks/mandrill/"),
        signed(fields=FIELDS | {"mandrill_events": "[]"}),
        signed(fields=FIELDS | {"more": "x"}),
        signed(fields={}),
        asked(FIELDS, {}),
        asked(FIELDS, {"X-Mandrill-Signature": ""}),
        post("mandrill", b"[]", {"X-Mandrill-Signature": "x"}),
        post("mandrill", b"", {"X-Mandrill-Signature": "x"}, content_type="multipart/form-data"),
    ):
        assert not takes("mandrill", request)


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    for keys in ({}, {"mandrill": [""]}):
        settings.WEBHOOK_KEYS = keys
        assert not takes("mandrill", signed(""))
        assert not providers()["mandrill"].is_set_up()
