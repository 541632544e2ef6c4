"""Bird: the Standard Webhooks scheme (Bird API), or HMAC over timestamp, address and a hash of the body (Channels)."""

import hmac
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import KEY, OTHER_KEY, OUR_ADDRESS, ago, post, takes

BODY = b'{"type": "sms.delivered", "data": {}}'
SECRET, OTHER_SECRET = ("whsec_" + b64encode(bytes([number]) * 24).decode() for number in (1, 2))
QUERY = "?message=4711-abc"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"bird": [SECRET, KEY]}
    settings.PUBLIC_URL = OUR_ADDRESS


def standard(*, at: int | None = None, body: bytes = BODY, without: str = "", first: str = "") -> HttpRequest:
    timestamp = str(at or ago(seconds=1))
    made = b64encode(hmac.digest(bytes([1]) * 24, f"msg_1.{timestamp}.".encode() + BODY, "sha256")).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": f"{first}v1,{made}"}
    headers.pop(without, None)
    return post("bird", body, headers)


def channels(
    key: str = KEY, *, at: int | None = None, body: bytes = BODY, query: str = QUERY, without: str = ""
) -> HttpRequest:
    timestamp = str(at or ago(seconds=1))
    said = f"{timestamp}\n{OUR_ADDRESS}/webhooks/bird/{QUERY}\n".encode() + sha256(BODY).digest()
    made = b64encode(hmac.digest(key.encode(), said, "sha256")).decode()
    headers = {"messagebird-signature": made, "messagebird-request-timestamp": timestamp}
    headers.pop(without, None)
    return post("bird", body, headers, query=query)


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (standard(), True),
        (standard(first="v1,bm9uZQ== v1a,xyz "), True),
        (standard(at=ago(hours=9)), True),
        (standard(body=b"{}"), False),
        (standard(at=ago(hours=26)), False),
        (standard(without="webhook-id"), False),
        (standard(without="webhook-timestamp"), False),
        (standard(without="webhook-signature"), False),
        (channels(), True),
        (channels(at=ago(hours=9)), True),
        (channels(OTHER_KEY), False),
        (channels(body=b"{}"), False),
        (channels(query="?message=4712-abc"), False),
        (channels(at=ago(hours=26)), False),
        (channels(without="messagebird-signature"), False),
        (channels(without="messagebird-request-timestamp"), False),
    ],
)
def test_only_what_one_of_our_keys_signed_lately_is_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("bird", request_) == is_good


def test_a_signature_is_as_in_the_standard_webhooks_documentation(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.providers.bird.webhook.OLDEST", timedelta(days=36_500))
    settings.WEBHOOK_KEYS = {"bird": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }

    assert takes("bird", post("bird", b'{"test": 2432232314}', headers))


def test_another_secret_or_none_refuses_everything(settings: Settings) -> None:
    for secrets in ([OTHER_SECRET], []):
        settings.WEBHOOK_KEYS = {"bird": secrets}
        assert not takes("bird", standard())
        assert not takes("bird", channels())
    assert not providers()["bird"].is_set_up()
