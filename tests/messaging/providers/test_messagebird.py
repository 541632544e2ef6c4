"""MessageBird: a JWT with hashes of address and body, and a time within which it is good."""

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from pytest_django.fixtures import Settings

from contacts.models import Channel
from messaging.inbox import reports
from messaging.providers.registry import providers
from messaging.tracking.tokens import token_of
from tests.messaging.conftest import make_message
from tests.messaging.providers.asking import FORM, KEY, NEW_KEY, OTHER_KEY, OUR_ADDRESS, ago, get, post, takes

QUERY = "id=efa6405d&status=delivered&price[amount]=0.075"
ADDRESS = f"{OUR_ADDRESS}/webhooks/messagebird/"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"messagebird": [KEY, NEW_KEY]}
    settings.PUBLIC_URL = OUR_ADDRESS


def part(said: object) -> str:
    return urlsafe_b64encode(said if isinstance(said, bytes) else json.dumps(said).encode()).decode().rstrip("=")


def jwt(key: str = KEY, *, url: str = f"{ADDRESS}?{QUERY}", body: bytes = b"", **claims: Any) -> dict[str, str]:
    said = {"iss": "MessageBird", "nbf": ago(seconds=5), "exp": ago(hours=-1), "jti": "1"}
    said |= {"url_hash": sha256(url.encode()).hexdigest()}
    said |= {"payload_hash": sha256(body).hexdigest()} if body else {}
    text = f"{part({'alg': 'HS256'})}.{part({**said, **claims})}"
    made = hmac.digest(key.encode(), text.encode(), "sha256")
    return {"MessageBird-Signature-JWT": f"{text}.{part(made)}"}


def posted(headers: dict[str, str], body: bytes = b"id=1&status=sent") -> HttpRequest:
    return post("messagebird", body, headers, content_type=FORM)


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (get("messagebird", QUERY, jwt()), True),
        (get("messagebird", QUERY, jwt(NEW_KEY)), True),
        (get("messagebird", QUERY, jwt(OTHER_KEY)), False),
        (get("messagebird", QUERY.replace("delivered", "sent"), jwt()), False),
        (get("messagebird", QUERY, jwt(iss="Somebody")), False),
        (get("messagebird", QUERY, jwt(exp=ago(minutes=5))), False),
        (get("messagebird", QUERY, jwt(nbf=ago(hours=-1), exp=ago(hours=-2))), False),
        (get("messagebird", QUERY, jwt(exp=None)), False),
        (get("messagebird", QUERY, {}), False),
        (posted(jwt(url=ADDRESS, body=b"id=1&status=sent")), True),
        (posted(jwt(url=ADDRESS, body=b"id=1&status=sent"), body=b"id=1&status=delivered"), False),
        (posted(jwt(url=ADDRESS)), False),
        (posted(jwt(url=ADDRESS, body=b"id=1"), body=b""), False),
    ],
)
def test_only_what_one_of_our_keys_signed_just_now_is_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("messagebird", request_) == is_good


@pytest.mark.django_db
def test_a_report_by_get_of_any_length_is_kept_whole_and_applied() -> None:
    message = make_message(Channel.SMS)
    query = f"id=efa6405d&statusReason={'x' * 600}&reference={token_of(message.pk)}&status=delivered"

    answer = Client().get(f"/webhooks/messagebird/?{query}", headers=jwt(url=f"{ADDRESS}?{query}"))
    reports.apply_pending()

    message.refresh_from_db()
    assert (answer.status_code, message.status) == (200, "delivered")


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not providers()["messagebird"].is_set_up()
    assert not takes("messagebird", get("messagebird", QUERY, jwt("")))
