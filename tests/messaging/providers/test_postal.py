"""Postal: RSA over the body, with SHA-256, or with SHA-1 where the Postal is an old one. No time is signed."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import post, takes
from tests.messaging.providers.topics import key_of

BODY = '{"event": "MessageSent", "payload": {"details": "något"}}'.encode()
NEW, OLD = "X-Postal-Signature-256", "X-Postal-Signature"
HASHES: dict[str, hashes.HashAlgorithm] = {NEW: hashes.SHA256(), OLD: hashes.SHA1()}
CURVE = ec.generate_private_key(ec.SECP256R1())


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """As Postal's own DKIM record has it: without the lines of PEM."""
    made = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b64encode(made).decode()


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {
        "postal": ["no key", public(CURVE), public(key_of("postal")), public(key_of("new postal"))]
    }
    settings.WEBHOOK_OLD_SIGNATURES = {"postal"}


def signature(header: str, whom: str = "postal") -> dict[str, str]:
    return {header: b64encode(key_of(whom).sign(BODY, padding.PKCS1v15(), HASHES[header])).decode()}


def asked(headers: dict[str, str], body: bytes = BODY) -> HttpRequest:
    return post("postal", body, headers)


@pytest.mark.parametrize("header", [NEW, OLD])
def test_only_what_a_key_of_ours_signed_is_taken(header: str) -> None:
    assert takes("postal", asked(signature(header)))
    assert takes("postal", asked(signature(header, "new postal")))
    for request in (
        asked(signature(header, "mallory")),
        asked(signature(header), BODY + b" "),
        asked(signature(header), b""),
        asked({header: ""}),
        asked({header: "no base64"}),
        asked({header: "å"}),
        asked({header: b64encode(CURVE.sign(BODY, ec.ECDSA(HASHES[header]))).decode()}),
        asked({}),
    ):
        assert not takes("postal", request)


def test_the_better_signature_counts_where_there_are_both() -> None:
    assert takes("postal", asked(signature(OLD) | signature(NEW)))
    assert takes("postal", asked(signature(OLD, "mallory") | signature(NEW)))
    assert not takes("postal", asked(signature(OLD) | signature(NEW, "mallory")))


def test_sha_1_alone_is_refused_unless_the_operator_has_an_old_postal(settings: Settings) -> None:
    settings.WEBHOOK_OLD_SIGNATURES = set()

    assert not takes("postal", asked(signature(OLD)))
    assert takes("postal", asked(signature(NEW)))


def test_one_headers_signature_is_none_in_the_other() -> None:
    assert not takes("postal", asked({NEW: signature(OLD)[OLD]}))
    assert not takes("postal", asked({OLD: signature(NEW)[NEW]}))


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not takes("postal", asked(signature(NEW)))
    assert not takes("postal", asked(signature(OLD)))
    assert not providers()["postal"].is_set_up()
