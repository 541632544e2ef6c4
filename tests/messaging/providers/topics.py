"""A house like Amazon's SNS: its keys and certificates, what it signs, and an internet that holds its files."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.http import HttpRequest

from tests.messaging.providers.asking import post

HASHES: Final[dict[str, hashes.HashAlgorithm]] = {"1": hashes.SHA1(), "2": hashes.SHA256()}
NOT_SIGNED: Final = {"SigningCertURL", "UnsubscribeURL"}


@cache
def key_of(whom: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certificate(whom: str, *, by: str = "", years: tuple[int, int] = (-1, 1)) -> bytes:
    """PEM; signed by itself unless `by` somebody else."""
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        issuer_name=_name(by or whom),
        subject_name=_name(whom),
        public_key=key_of(whom).public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now + timedelta(days=365 * years[0]),
        not_valid_after=now + timedelta(days=365 * years[1]),
    ).sign(key_of(by or whom), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def _name(whom: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, whom)])


class Internet:
    """What is fetched from it is noted; what is not in it cannot be reached."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.files:
            raise OSError("unreachable")
        return self.files[url]


def notice(topic: str, certificate_url: str, **fields: str) -> dict[str, str]:
    """An unsigned notification."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": topic,
        "Message": '{"said": "något\\n"}',
        "Timestamp": at(seconds=-1),
        "SigningCertURL": certificate_url,
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
    } | fields


def invitation(topic: str, certificate_url: str, subscribe_url: str, **fields: str) -> dict[str, str]:
    """An unsigned question whether we want to subscribe."""
    return (
        notice(topic, certificate_url, Type="SubscriptionConfirmation", Token="2336412f", SubscribeURL=subscribe_url)
        | fields
    )


def signed(message: dict[str, str], whom: str, version: str = "2") -> dict[str, str]:
    """As "Verifying the signatures of Amazon SNS messages" tells: names and values by line, in byte order of names."""
    lines = [line for name in sorted(message.keys() - NOT_SIGNED) for line in (name, message[name])]
    made = key_of(whom).sign("".join(f"{line}\n" for line in lines).encode(), padding.PKCS1v15(), HASHES[version])
    return message | {"SignatureVersion": version, "Signature": b64encode(made).decode()}


def posted(slug: str, message: object) -> HttpRequest:
    return post(slug, json.dumps(message).encode(), {}, content_type="text/plain; charset=UTF-8")


def at(**of: float) -> str:
    return (datetime.now(UTC) + timedelta(**of)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
