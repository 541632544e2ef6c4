"""Twilio signs the public address and every field with the account's auth token."""

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from messaging.providers.twilio.webhook import signature
from tests.messaging.providers.asking import FORM, KEY, NEW_KEY, OTHER_KEY, OUR_ADDRESS, post, takes

FIELDS = [("MessageSid", "SM1"), ("MessageStatus", "delivered")]
BODY = b"MessageSid=SM1&MessageStatus=delivered"
QUERY = "?message=4711-abc"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"twilio": [KEY, NEW_KEY]}
    settings.PUBLIC_URL = OUR_ADDRESS


def signed(key: str, *, body: bytes = BODY, query: str = QUERY) -> HttpRequest:
    made = signature(key, f"{OUR_ADDRESS}/webhooks/twilio/{QUERY}", FIELDS)
    return post("twilio", body, {"X-Twilio-Signature": made}, query=query, content_type=FORM)


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (signed(KEY), True),
        (signed(NEW_KEY), True),
        (signed(OTHER_KEY), False),
        (signed(KEY, body=BODY.replace(b"delivered", b"failed")), False),
        (signed(KEY, query="?message=4712-abc"), False),
        (post("twilio", BODY, {}, query=QUERY, content_type=FORM), False),
    ],
)
def test_only_what_one_of_our_tokens_signed_is_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("twilio", request_) == is_good


def test_without_a_token_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not providers()["twilio"].is_set_up()
    assert not takes("twilio", signed(""))
