"""Signing mails so that their receivers can tell that they are ours: DKIM (RFC 6376), by RSA and Ed25519 (RFC 8463).

Relaxed canonicalisation of header and body. What all mails of a send-out share is canonicalised once (letter.py); a
library would parse and canonicalise each mail anew, which takes far longer than all else that is done to it.
"""

import os
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from django.core.exceptions import ImproperlyConfigured

from engage.domains import in_ascii

# RFC 8301 3.2: shorter keys are not to be trusted. Of 4,096 bits not every receiver makes something.
LEAST_BITS: Final = 1024
_BLANKS: Final = re.compile(rb"[ \t]+")
_BLANKS_AT_END: Final = re.compile(rb"[ \t]+(?=\r\n)")
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")
_EMPTY_LINES_AT_END: Final = re.compile(rb"(?:\r\n)+\Z")

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_LINE: Final = 72


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A private key for the mails from a domain; its public half stands in the DNS at `name`."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record to publish (RFC 6376 3.6.1, RFC 8463 4)."""
        public = self.private.public_key()
        if isinstance(self.private, Ed25519PrivateKey):
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return f"v=DKIM1; k=ed25519; p={b64encode(raw).decode()}"
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return f"v=DKIM1; k=rsa; p={b64encode(public.public_bytes(encoding, form)).decode()}"

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    def signature(self, said: bytes) -> bytes:
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(said, PKCS1v15(), hashes.SHA256())
        return self.private.sign(sha256(said).digest())


def signed(keys: Iterable[Key], names: Sequence[str], header: bytes, body_hash: bytes, at: int) -> bytes:
    """The DKIM-Signature headers of a mail whose headers called `names` are `header`, canonicalised and in that order.

    `body_hash` is the SHA-256 of the canonical body, `at` seconds since 1970. From is named once more than it is there,
    so that nobody can add another (RFC 6376 8.15).
    """
    made, names, hashed = b"", tuple(names), b64encode(body_hash)
    for key in keys:
        said, canonical = _beginning(key, names, at)
        signature = b64encode(key.signature(header + canonical + hashed + b"; b="))
        folded = b"\r\n ".join(signature[place : place + _LINE] for place in range(0, len(signature), _LINE))
        made += said + hashed + b";\r\n b=" + folded + b"\r\n"
    return made


@lru_cache(maxsize=16)
def _beginning(key: Key, names: tuple[str, ...], at: int) -> tuple[bytes, bytes]:
    """The signature header up to the body's hash, as it is and canonicalised: the same for all mails of a second."""
    lines = [f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};"]
    lines += [f" s={key.selector}; t={at};", *_listed([*names, "from"]), " bh="]
    said = "\r\n".join(lines).encode("ascii")
    return said, relaxed_header(said).removesuffix(b"\r\n")


def _listed(names: Sequence[str]) -> list[str]:
    lines = [" h="]
    for place, name in enumerate(names):
        word = name.lower() + (":" if place + 1 < len(names) else ";")
        if len(lines[-1]) + len(word) > _LINE:
            lines.append("  ")
        lines[-1] += word
    return lines


def relaxed_header(header: bytes) -> bytes:
    """One header (RFC 6376 3.4.2), with its CRLF."""
    name, _colon, value = header.partition(b":")
    return name.strip(b" \t").lower() + b":" + _BLANKS.sub(b" ", _FOLD.sub(b"", value)).strip(b" \t\r\n") + b"\r\n"


def relaxed_lines(lines: bytes) -> bytes:
    """Lines of a body (RFC 6376 3.4.4), all of them whole, but for its end."""
    return _BLANKS_AT_END.sub(b"", _BLANKS.sub(b" ", lines)) if b" " in lines or b"\t" in lines else lines


def without_empty_end(body: bytes) -> bytes:
    """A canonical body as it ends: with one CRLF, or with nothing where there is nothing (RFC 6376 3.4.4)."""
    return _EMPTY_LINES_AT_END.sub(b"\r\n", body) if body.strip(b"\r\n") else b""


def write_new(path: Path, *, is_ed25519: bool) -> None:
    """A new private key, which only its owner may read. Raises FileExistsError, OSError."""
    private = Ed25519PrivateKey.generate() if is_ed25519 else generate_private_key(65537, 2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    said = private.private_bytes(encoding, form, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(said)


def keys_of(value: str) -> list[Key]:
    """The keys that DKIM_KEYS names: selector@domain=/path/to/private.pem, by comma. Raises ImproperlyConfigured."""
    return [_key(each.strip()) for each in value.split(",") if each.strip()]


def _key(said: str) -> Key:
    of, _equals, path = said.partition("=")
    selector, _at, domain = in_ascii(of.strip().lower()).partition("@")
    if not (_NAME.fullmatch(selector) and _NAME.fullmatch(domain) and path.strip()):
        raise ImproperlyConfigured(
            "DKIM_KEYS must look like autumn26@shop.example=/etc/engage/autumn26.pem, by comma (docs/operators.md)."
        )
    try:
        private = serialization.load_pem_private_key(Path(path.strip()).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ImproperlyConfigured(f"DKIM_KEYS: the key in {path.strip()} cannot be read ({error}).") from None
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        raise ImproperlyConfigured(f"DKIM_KEYS: the key in {path.strip()} is neither RSA nor Ed25519.")
    if isinstance(private, RSAPrivateKey) and private.key_size < LEAST_BITS:
        raise ImproperlyConfigured(f"DKIM_KEYS: the key in {path.strip()} has fewer than {LEAST_BITS} bits.")
    return Key(domain, selector, private)


def keys_for(sender: str, keys: Iterable[Key]) -> tuple[Key, ...]:
    """The keys that sign mail from this address: of its domain, else of the nearest domain above (RFC 7489 3.1.1)."""
    domain = in_ascii(sender).rpartition("@")[2].lower()
    above = [key for key in keys if domain == key.domain or domain.endswith(f".{key.domain}")]
    nearest = max((len(key.domain) for key in above), default=0)
    return tuple(key for key in above if len(key.domain) == nearest)
