"""Reports as SendGrid posts them. Pure, and of its own making: nothing of messaging/providers/sendgrid/ is used.

Fields: Twilio SendGrid documentation, "Event Webhook Reference"; signature: "Event Webhook Security Features".
"""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PATH: Final = "/webhooks/sendgrid/"
SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
ACCOUNT: Final = 14082731
# Whose servers talk to whom; RFC 5737 keeps these networks for examples.
OUR_IP: Final = "198.51.100.7"
READERS_IP: Final = "203.0.113.24"
READS: Final = frozenset({"open", "click"})


def new_id(seed: str) -> str:
    """A message id, as the API returns it at hand-over: 22 characters, the same for the same seed."""
    return urlsafe_b64encode(blake2b(seed.encode(), digest_size=16).digest()).decode().rstrip("=")


def event(
    kind: str, *, to: str, at: datetime, token: str, message_id: str, number: int = 0, **said: object
) -> dict[str, Any]:
    """One event of a batch; `said` is what only this kind has (response, reason, status, type, attempt, url …).

    `number` tells events of one kind and message apart. Its time is in whole seconds, as SendGrid's.
    """
    common: dict[str, Any] = {
        "email": to,
        "timestamp": int(at.timestamp()),
        "smtp-id": f"<{message_id}@geopod-ismtpd-12>",
        "category": ["engage"],
        "engage": token,
        "event": kind,
        "sg_event_id": _event_id(kind, number, message_id),
        "sg_message_id": f"{message_id}.filterdrecv-7bc86b958d-j46hl-1-{int(at.timestamp()):X}-1C.0",
    }
    return common | _usual(kind) | said


def _usual(kind: str) -> dict[str, Any]:
    if kind in READS:
        return {"ip": READERS_IP, "sg_content_type": "html"}
    if kind == "delivered":
        return {"ip": OUR_IP, "tls": 1}
    return {"ip": OUR_IP} if kind in {"bounce", "deferred"} else {}


def _event_id(kind: str, number: int, message_id: str) -> str:
    """SendGrid's own is the base64 of such a text."""
    return urlsafe_b64encode(f"{kind}-{number}-{ACCOUNT}-{message_id}-0".encode()).decode().rstrip("=")


def body_of(events: Sequence[dict[str, Any]]) -> bytes:
    """A batch as it is posted, with the line break at the end that belongs to what is signed."""
    return json.dumps(events, separators=(",", ":")).encode() + b"\r\n"


def headers_of(body: bytes, *, private_key: str, signed_at: datetime) -> dict[str, str]:
    """The headers of a signed batch; `private_key` as PEM (ECDSA over timestamp and body, SHA-256, DER in base64)."""
    timestamp = str(int(signed_at.timestamp()))
    signature = _key(private_key).sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "Content-Type": "application/json;charset=utf-8",
        "User-Agent": "SendGrid Event API",
        SIGNATURE: b64encode(signature).decode(),
        TIMESTAMP: timestamp,
    }


def public_key_of(private_key: str) -> str:
    """The verification key as SendGrid's console shows it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return b64encode(_key(private_key).public_key().public_bytes(serialization.Encoding.DER, form)).decode()


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("SendGrid signs with an elliptic curve key.")
    return key
