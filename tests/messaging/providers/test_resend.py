"""Resend: Svix's HMAC-SHA256 over id, time and body, within five minutes ("Verifying webhooks manually")."""

import hmac
from base64 import b64encode

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from messaging.providers.resend.webhook import signed_with
from tests.messaging.providers.asking import ago, post, takes

BODY = '{"type": "email.sent", "data": {"subject": "något"}}'.encode()
OURS, NEW, OTHER = (bytes([number]) * 24 for number in (1, 2, 3))


def secret(key: bytes) -> str:
    return "whsec_" + b64encode(key).decode()


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"resend": [secret(OURS), secret(NEW)]}


def signed(
    key: bytes = OURS, *, at: object = None, body: bytes = BODY, first: str = "", scheme: str = "v1", **headers: str
) -> HttpRequest:
    timestamp = str(ago(seconds=1) if at is None else at)
    made = b64encode(hmac.digest(key, f"msg_1.{timestamp}.".encode() + BODY, "sha256")).decode()
    said = {"svix_id": "msg_1", "svix_timestamp": timestamp, "svix_signature": f"{first}{scheme},{made}"} | headers
    return post("resend", body, {name.replace("_", "-"): value for name, value in said.items() if value})


def test_the_documented_example_is_signed_so() -> None:
    """Svix, "Verifying webhooks manually"."""
    made = signed_with(
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        "1731705121",
        b'{"event_type":"ping","data":{"success":true}}',
    )

    assert made == b"v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_what_a_secret_of_ours_signed_lately_is_taken() -> None:
    for request in (
        signed(),
        signed(NEW),
        signed(at=ago(minutes=4)),
        signed(at=ago(minutes=-4)),
        signed(first="v1,bm9uZQ== v1a,xyz "),
    ):
        assert takes("resend", request)


def test_everything_else_is_refused() -> None:
    for request in (
        signed(OTHER),
        signed(b""),
        signed(body=BODY + b" "),
        signed(body=b""),
        signed(at=ago(minutes=6)),
        signed(at=ago(minutes=-6)),
        signed(at="soon"),
        signed(scheme="v2"),
        signed(scheme=""),
        signed(svix_id="msg_2"),
        signed(svix_timestamp=str(ago(seconds=3))),
        signed(svix_signature="v1,"),
        signed(svix_signature="å"),
        signed(svix_id=""),
        signed(svix_timestamp=""),
        signed(svix_signature=""),
    ):
        assert not takes("resend", request)


@pytest.mark.parametrize("keys", [[], [""], ["whsec_"], ["whsec_=", "whsec_å"]])
def test_without_a_secret_everything_is_refused(keys: list[str], settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"resend": keys}

    assert not takes("resend", signed(b""))
    assert not takes("resend", signed())


def test_without_a_secret_it_is_not_set_up(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not providers()["resend"].is_set_up()
