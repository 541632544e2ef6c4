"""Recipients as reports write them -> the plain address."""

import re
from typing import Final

from messaging.bounces.mail.parsed import ADDRESS

# RFC 3464 section 2.1.2: an address type, a semicolon, the address. Some servers write only one of the two.
TYPE: Final = re.compile(
    r"^\s*(?:rfc-?\s?822|smtp|utf-?8|x-?400|x-[\w-]+|unknown|local|system|dns|lmtp|ldap|notes|internet|[a-z][\w-]{1,15})\s*;",
    re.IGNORECASE,
)
# RFC 6533 section 3: \x{2AB} stands for one character.
UNICODE: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
# RFC 3461 section 4: what xtext must encode in an address. Others (+41) may be a tag that the person chose.
XTEXT: Final = re.compile(r"\+(2B|3D)")
QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"@([^\s<>()\[\]",;:\\]+|\[[^\]\s]*\])')
ROUTE: Final = re.compile(r"^@[^:\s]+:")
PLAIN: Final = re.compile(r"[\w.+\-=/!#$%&'*?^`{|}~]+")
# Exim prints octets beyond ASCII in octal: \303\274 is one letter.
OCTETS: Final = re.compile(r"(?:\\[23][0-7]{2})+")


def address_of(value: str) -> str:
    """The address in a recipient field, such as `rfc822; "Anna" <anna@example.org> (was: anna)`; empty if none.

    What is no address (a local alias, an X.400 name) comes back as it is written.
    """
    text = TYPE.sub("", value, count=1).strip()
    text = UNICODE.sub(_character, text) if "\\x{" in text else text
    text = OCTETS.sub(_octets, text) if "\\" in text else text
    text = text.removeprefix("mailto:").removeprefix("SMTP:").removeprefix("smtp:")
    if "<" in text and ">" in text.partition("<")[2]:
        inner = text.partition("<")[2].partition(">")[0].strip()
        text = inner or text
    text = ROUTE.sub("", text)
    if match := QUOTED.search(text):
        return match[0]
    if match := ADDRESS.search(text):
        return match[0].strip("'`").rstrip(".")
    return text.partition("(")[0].strip().strip("\"'<>").strip()


def original_address(value: str) -> str:
    """The address in an Original-Recipient field, which some servers leave in xtext (RFC 3461 section 4)."""
    return XTEXT.sub(lambda match: chr(int(match[1], 16)), address_of(value))


def is_full(address: str) -> bool:
    """Whether this is an address of the world rather than a local alias."""
    local, at, domain = address.rpartition("@")
    return bool(local and at and "." in domain.strip("."))


def is_nobody(recipient: str) -> bool:
    """Whether this is no recipient: nothing, or a host, a file or a pipe that stands in a recipient's place."""
    return not recipient or recipient[:1] in "@/|" or ("/" in recipient and not is_full(recipient))


def _octets(match: re.Match[str]) -> str:
    """UTF-8 by its octets, as Exim prints it; as it is written where it is none."""
    try:
        return bytes(int(octet, 8) for octet in match[0].split("\\")[1:]).decode()
    except UnicodeDecodeError:
        return match[0]


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if 0x20 < number < 0xD800 or 0xDFFF < number < 0x110000 else ""
