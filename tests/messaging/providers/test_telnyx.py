"""Telnyx: Ed25519 over timestamp, a bar and the body; the key is base64 of its 32 bytes."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import ago, post, takes

BODY = b'{"data": {"event_type": "message.sent"}}'
OURS, NEW, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))


def public(key: Ed25519PrivateKey) -> str:
    return b64encode(key.public_key().public_bytes_raw()).decode()


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"telnyx": ["no key at all", public(OURS), public(NEW)]}


def signed(
    key: Ed25519PrivateKey = OURS, *, body: bytes = BODY, at: int | None = None, without: str = ""
) -> HttpRequest:
    timestamp = str(at or ago(seconds=1))
    made = b64encode(key.sign(f"{timestamp}|".encode() + BODY)).decode()
    headers = {"telnyx-signature-ed25519": made, "telnyx-timestamp": timestamp}
    headers.pop(without, None)
    return post("telnyx", body, headers)


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (signed(), True),
        (signed(NEW), True),
        (signed(OTHER), False),
        (signed(body=b"{}"), False),
        (signed(at=ago(hours=26)), False),
        (signed(without="telnyx-signature-ed25519"), False),
        (signed(without="telnyx-timestamp"), False),
        (post("telnyx", BODY, {"telnyx-signature-ed25519": "é", "telnyx-timestamp": "1"}), False),
    ],
)
def test_only_what_one_of_our_keys_signed_lately_is_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("telnyx", request_) == is_good


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"telnyx": []}

    assert not providers()["telnyx"].is_set_up()
    assert not takes("telnyx", signed())
