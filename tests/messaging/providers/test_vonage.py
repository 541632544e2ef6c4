"""Vonage: `sig` over the sorted fields (SMS API), or a JWT with a hash of the body (Messages API)."""

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from messaging.providers.vonage.webhook import signature
from tests.messaging.providers.asking import FORM, KEY, NEW_KEY, OTHER_KEY, ago, get, post, takes

BODY = b'{"message_uuid": "aaaaaaaa", "status": "delivered"}'


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"vonage": [KEY, NEW_KEY]}


def fields(at: object = None, **more: str) -> dict[str, str]:
    timestamp = str(ago(seconds=1) if at is None else at)
    return {
        "messageId": "0A",
        "status": "delivered",
        "client-ref": "a=b&c",
        "timestamp": timestamp,
        "nonce": "n",
    } | more


def with_sig(said: dict[str, str], key: str = KEY, algorithm: str = "sha256") -> dict[str, str]:
    """The signature is written out here, so that the adapter's own is checked."""
    text = "".join(f"&{name}={said[name].replace('&', '_').replace('=', '_')}" for name in sorted(said))
    return said | {"sig": hmac.new(key.encode(), text.encode(), algorithm).hexdigest().upper()}


def receipt(said: dict[str, str]) -> HttpRequest:
    return post("vonage", json.dumps(said).encode(), {}, query="?message=4711-abc")


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (receipt(with_sig(fields())), True),
        (receipt(with_sig(fields(), NEW_KEY)), True),
        (receipt(with_sig(fields(), algorithm="sha512")), True),
        (post("vonage", urlencode(with_sig(fields())).encode(), {}, content_type=FORM), True),
        (get("vonage", urlencode(with_sig(fields())) + "&message=4711-abc", {}), True),
        (receipt(with_sig(fields(ago(hours=23)))), True),
        (receipt(with_sig(fields(), OTHER_KEY)), False),
        (receipt(with_sig(fields()) | {"status": "failed"}), False),
        (receipt(with_sig(fields()) | {"new": "field"}), False),
        (receipt(with_sig(fields(ago(hours=26)))), False),
        (receipt(with_sig(fields(""))), False),
        (receipt(with_sig(fields(), algorithm="md5")), False),
        (receipt(with_sig(fields(), algorithm="sha1")), False),
        (receipt(fields()), False),
        (post("vonage", b"[" * 100_000, {}), False),
        (post("vonage", b"", {}), False),
    ],
)
def test_only_receipts_that_one_of_our_secrets_signed_lately_are_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("vonage", request_) == is_good


def test_a_signature_is_as_the_documentation_puts_it_together() -> None:
    """ "Signing Messages": &name=value in the order of the names, & and = in values replaced by _."""
    expected = hmac.new(b"secret", b"&a=1_2&b=3_4", "sha256").hexdigest()

    assert signature("secret", {"b": "3=4", "a": "1&2"}, "sha256") == expected


def part(said: object) -> str:
    return urlsafe_b64encode(said if isinstance(said, bytes) else json.dumps(said).encode()).decode().rstrip("=")


def jwt(key: str = KEY, *, alg: str = "HS256", **claims: Any) -> dict[str, str]:
    said = {"iat": ago(seconds=1), "iss": "Vonage", "payload_hash": sha256(BODY).hexdigest(), "api_key": "abcd1234"}
    text = f"{part({'alg': alg, 'typ': 'JWT'})}.{part({**said, **claims})}"
    return {"Authorization": f"Bearer {text}.{part(hmac.digest(key.encode(), text.encode(), 'sha256'))}"}


@pytest.mark.parametrize(
    ("headers", "is_good"),
    [
        (jwt(), True),
        (jwt(NEW_KEY), True),
        (jwt(OTHER_KEY), False),
        (jwt(alg="none"), False),
        (jwt(alg="RS256"), False),
        (jwt(payload_hash=sha256(b"{}").hexdigest()), False),
        (jwt(payload_hash=None), False),
        (jwt(iat=ago(hours=26)), False),
        (jwt(iat=None), False),
        ({"Authorization": "Bearer"}, False),
        ({"Authorization": "Bearer a.b.c"}, False),
        ({"Authorization": f"Bearer {part([])}.{part({})}.x"}, False),
        ({}, False),
    ],
)
def test_only_statuses_whose_jwt_is_of_this_body_are_taken(headers: dict[str, str], is_good: bool) -> None:
    assert takes("vonage", post("vonage", BODY, headers)) == is_good


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"vonage": []}

    assert not providers()["vonage"].is_set_up()
    assert not takes("vonage", receipt(with_sig(fields(), "")))
    assert not takes("vonage", post("vonage", BODY, jwt("")))
