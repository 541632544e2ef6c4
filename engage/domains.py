"""Domains as the DNS knows them: IDNA 2008 (RFC 5891) after the mapping of UTS 46, non-transitional. Pure.

One function for all that is sent and looked up, so that it means the domain that was read when the address was typed.
"""

# ruff: noqa: PLC0415 -- the package has large tables, and most domains are ASCII

import unicodedata
from functools import lru_cache
from typing import Final

# RFC 1035 2.3.4.
LONGEST_LABEL: Final = 63


def ascii_domain(domain: str) -> str:
    """The domain in its ASCII form (A-labels), lower-cased. Raises UnicodeError where IDNA 2008 has none for it."""
    return domain.lower() if domain.isascii() else _encoded(domain)


@lru_cache(maxsize=1_000)
def _encoded(domain: str) -> str:
    import idna

    return idna.encode(domain, uts46=True, transitional=False).decode("ascii")


def in_ascii(address: str) -> str:
    """The address with its domain in ASCII; what stands before the @ stays as it is.

    A domain that IDNA 2008 refuses, such as one of emoji, was let in by rules of before: it goes by its letters in
    Punycode (RFC 3492), which is how such a domain is registered. Where that fails, too, it comes back as it is.
    """
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}{at}{ascii_domain(domain)}"
    except UnicodeError:
        return f"{local}{at}{_by_letters(domain)}"


def _by_letters(domain: str) -> str:
    labels = [_label_by_letters(label) for label in unicodedata.normalize("NFC", domain.lower()).split(".")]
    return ".".join(labels) if all(0 < len(label) <= LONGEST_LABEL for label in labels) else domain


def _label_by_letters(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def in_unicode(domain: str) -> str:
    """A domain in ASCII for people to read; as it is where that cannot be."""
    if "xn--" not in domain:
        return domain
    import idna

    try:
        return idna.decode(domain)
    except UnicodeError:
        return domain
