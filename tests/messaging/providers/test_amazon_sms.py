"""Amazon SMS: Amazon signs every message of SNS; its topic says that it is ours."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers import sns
from messaging.providers.registry import providers
from tests.messaging.providers.asking import post, takes

TOPIC = "arn:aws:sns:eu-north-1:123456789012:engage-sms"
AMAZONS, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(AMAZONS.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return made.sign(AMAZONS, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(autouse=True)
def keys(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_KEYS = {"amazon_sms": ["arn:aws:sns:eu-north-1:123456789012:old", TOPIC]}
    monkeypatch.setattr(sns, "fetch", lambda _: certificate())
    sns.certificate_at.cache_clear()


def signed(
    key: rsa.RSAPrivateKey = AMAZONS, *, topic: str = TOPIC, age: timedelta = timedelta(), **changed: str
) -> HttpRequest:
    message = {
        "Type": "Notification", "MessageId": "22b80b92", "TopicArn": topic,
        "Message": '{"eventType": "TEXT_DELIVERED"}',
        "Timestamp": (datetime.now(UTC) - age).isoformat(), "SignatureVersion": "2",
        "SigningCertURL": "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-1.pem",
    }  # fmt: skip
    message["Signature"] = b64encode(key.sign(sns.signed_text(message), padding.PKCS1v15(), hashes.SHA256())).decode()
    return post("amazon_sms", json.dumps(message | changed).encode(), {})


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (signed(), True),
        (signed(OTHER), False),
        (signed(topic=TOPIC + "-of-somebody"), False),
        (signed(Message='{"eventType": "TEXT_INVALID"}'), False),
        (signed(SigningCertURL="https://sns.example.org/SimpleNotificationService-1.pem"), False),
        (signed(Signature=""), False),
        (signed(age=timedelta(days=2)), False),
        (post("amazon_sms", b"{}", {}), False),
    ],
)
def test_only_what_amazon_signed_for_one_of_our_topics_is_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("amazon_sms", request_) == is_good


def test_without_a_topic_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not providers()["amazon_sms"].is_set_up()
    assert not takes("amazon_sms", signed())
