"""Signatures: what the provider signed is taken, everything else is refused."""

import time
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpRequest
from django.test import RequestFactory, override_settings
from pytest_django.fixtures import Settings

from messaging.providers.base import ForgedError
from messaging.providers.registry import providers
from messaging.providers.twilio.webhook import signature

BODY = b'[{"event": "delivered"}]'


def signed_by(key: str, body: bytes = BODY, at: float | None = None) -> HttpRequest:
    timestamp = str(int(at or time.time()))
    private = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    signed = private.sign(timestamp.encode() + BODY, ec.ECDSA(hashes.SHA256()))
    return RequestFactory().post(
        "/webhooks/sendgrid/",
        body,
        content_type="application/json",
        headers={
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signed).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        },
    )


def test_sendgrid_takes_what_its_key_signed(sendgrid_private_key: str) -> None:
    providers()["sendgrid"].verify(signed_by(sendgrid_private_key))


@pytest.mark.parametrize("header", ["Signature", "Timestamp"])
def test_sendgrid_refuses_a_missing_header(sendgrid_private_key: str, header: str) -> None:
    request = signed_by(sendgrid_private_key)
    del request.META[f"HTTP_X_TWILIO_EMAIL_EVENT_WEBHOOK_{header.upper()}"]
    request = RequestFactory().post("/webhooks/sendgrid/", BODY, content_type="application/json", **request.META)

    with pytest.raises(ForgedError):
        providers()["sendgrid"].verify(request)


def test_sendgrid_refuses_another_body_an_old_time_and_another_key(sendgrid_private_key: str) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    forged = [
        signed_by(sendgrid_private_key, b"[]"),
        signed_by(sendgrid_private_key, at=time.time() - 26 * 3600),
        signed_by(other.decode()),
    ]
    for request in forged:
        with pytest.raises(ForgedError):
            providers()["sendgrid"].verify(request)


@pytest.mark.parametrize("slug", list(providers()))
def test_a_provider_without_a_key_refuses_everything(slug: str, sendgrid_private_key: str) -> None:
    with override_settings(WEBHOOK_KEYS={}):
        assert not providers()[slug].is_set_up()
        with pytest.raises(ForgedError):
            providers()[slug].verify(signed_by(sendgrid_private_key))


def test_sendgrid_takes_the_old_key_and_the_new_one_while_it_is_changed(
    sendgrid_private_key: str, settings: Settings
) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    new = b64encode(
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    settings.WEBHOOK_KEYS = {"sendgrid": [new, *settings.WEBHOOK_KEYS["sendgrid"]]}

    providers()["sendgrid"].verify(signed_by(sendgrid_private_key))


def test_twilio_signatures_are_as_in_its_documentation() -> None:
    """The worked example of "Webhooks Security"."""
    fields = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]

    found = signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", fields)

    assert found == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@override_settings(PUBLIC_URL="https://engage.example.org")
@pytest.mark.parametrize(("told", "is_good"), [("delivered", True), ("undelivered", False)])
def test_twilio_is_checked_over_the_public_address_and_every_field(
    twilio_auth_token: str, told: str, is_good: bool
) -> None:
    path = "/webhooks/twilio/?message=4711-abc"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "Empty": "", "Name": "Åsa & co"}
    signed = signature(twilio_auth_token, "https://engage.example.org" + path, list(form.items()))
    request = RequestFactory().post(
        path,
        urlencode(form | {"MessageStatus": told}),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signed},
    )
    if is_good:
        providers()["twilio"].verify(request)
    else:
        with pytest.raises(ForgedError):
            providers()["twilio"].verify(request)
