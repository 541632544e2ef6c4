"""Secrets that a bare machine lacks: made once, kept in var/, readable by the owner only."""

import base64
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def fill(var: Path) -> None:
    """Set every secret that the environment lacks; what it holds already wins."""
    os.environ["SECRET_KEY"] = os.environ.get("SECRET_KEY") or kept(var / "secret_key", new_token)
    demo = var / "demo"
    if not os.environ.get("SENDGRID_WEBHOOK_KEYS"):
        private_key_file = demo / "sendgrid_private.pem"
        os.environ["SENDGRID_WEBHOOK_KEYS"] = public_half(kept(private_key_file, new_private_key))
        os.environ["DEMO_SENDGRID_KEY_FILE"] = str(private_key_file)
    if not os.environ.get("TWILIO_WEBHOOK_KEYS"):
        os.environ["TWILIO_WEBHOOK_KEYS"] = kept(demo / "twilio_auth_token", lambda: secrets.token_hex(16))


def kept(path: Path, make: Callable[[], str]) -> str:
    """The file's text; made on the first call. Linked into place, so two first calls agree, none reads half of it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-") as draft:  # its mode is 0600
            draft.write(make())
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):  # another process was faster
                os.link(draft.name, path)
    return path.read_text()


def new_token() -> str:
    return secrets.token_urlsafe(50)


def new_private_key() -> str:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()


def public_half(private_key: str) -> str:
    """The public key as SendGrid shows it: base64 of a DER SubjectPublicKeyInfo."""
    key = serialization.load_pem_private_key(private_key.encode(), password=None)
    der, info = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(der, info)).decode()


def fingerprint(secret: str) -> str:
    """Tells two secrets apart without giving either away."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]
