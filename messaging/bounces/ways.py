"""A mail server that knows no way to an address, and says no more: is it the recipient's, or one before it? Pure.

Exim says "Unrouteable address" of a user whom it does not know at home, and of anybody's domain while its own DNS gives
no answer. Only the recipient's server knows that an address is dead.
"""

import re
from typing import Final

# Why it failed, where nobody but a server on the way said so.
NO_WAY: Final = "network"
ONLY_UNROUTEABLE: Final = re.compile(
    r"(?:smtp;\s*)?(?:[45]\d\d[\s\-]+)?(?:#?[45]\.\d{1,3}\.\d{1,3}[\s:]+)?(?:<?[^\s<>]{1,256}@[^\s<>]{1,256}?>?[\s:]+)?"
    r"unroute?able\s+address\W*",
    re.IGNORECASE,
)
# How the text for humans names the server that was asked.
OTHER_SERVER: Final = re.compile(
    r"\bremote (?:mail )?(?:server|host|system|mta)|\bhost \S+\s*\[|\bsaid:|while talking to|^(?:>>>|<<<) ",
    re.IGNORECASE | re.MULTILINE,
)


def is_only_unrouteable(said: str) -> bool:
    """Whether a server says that it knows no way to the address, and nothing else."""
    return bool(ONLY_UNROUTEABLE.fullmatch(said.strip()))


def names_other_server(told: str) -> bool:
    """Whether what is told of a recipient speaks of a server that was asked about it."""
    return bool(OTHER_SERVER.search(told))


def is_of(host: str, recipient: str) -> bool:
    """Whether this server is one of the recipient's own domain."""
    host, domain = _name(host), _name(recipient.rpartition("@")[2])
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def is_same_house(one: str, other: str) -> bool:
    """Whether two servers belong together by their names, as relay.example.org and mail.example.org do."""
    return bool(_name(one)) and _house(one) == _house(other)


def _house(host: str) -> str:
    name = _name(host)
    return name.partition(".")[2] if name.count(".") > 1 else name


def _name(host: str) -> str:
    return host.strip().rstrip(".").lower()
