"""Sinch: base64 of HMAC-SHA256 over body, nonce and timestamp, joined by points."""

import hmac
from base64 import b64encode

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import KEY, NEW_KEY, OTHER_KEY, ago, post, takes

BODY = b'{"type": "recipient_delivery_report_sms"}'
SIGNATURE = "x-sinch-webhook-signature"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"sinch": [KEY, NEW_KEY]}


def signed(key: str = KEY, *, body: bytes = BODY, at: object = None, without: str = "") -> HttpRequest:
    timestamp, nonce = str(ago(seconds=1) if at is None else at), "01FJA8B4A7BM43YGWSG9GBV067"
    made = b64encode(hmac.digest(key.encode(), BODY + f".{nonce}.{timestamp}".encode(), "sha256")).decode()
    headers = {
        SIGNATURE: made, f"{SIGNATURE}-nonce": nonce, f"{SIGNATURE}-timestamp": timestamp,
        f"{SIGNATURE}-algorithm": "HmacSHA256",
    }  # fmt: skip
    headers.pop(without, None)
    return post("sinch", body, headers)


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (signed(), True),
        (signed(NEW_KEY), True),
        (signed(at=ago(hours=23)), True),
        (signed(OTHER_KEY), False),
        (signed(body=b"{}"), False),
        (signed(at=ago(hours=26)), False),
        (signed(at="yesterday"), False),
        (signed(without=SIGNATURE), False),
        (signed(without=f"{SIGNATURE}-nonce"), False),
        (signed(without=f"{SIGNATURE}-timestamp"), False),
    ],
)
def test_only_what_one_of_our_keys_signed_lately_is_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("sinch", request_) == is_good


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not providers()["sinch"].is_set_up()
    assert not takes("sinch", signed(""))
