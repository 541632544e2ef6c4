"""What was noticed lately, so that one mail that leaked, or one host, cannot fill the inbox of reports.

Opens and clicks are one fact an hour for each message, link and kind of program (providers/tracking.py): what repeats
one says nothing new, and is not kept. Beyond that a message has so many notes a day, and a network so many a minute.
Each process knows its own, so there is a bound where the broker is away, too; a note that is kept twice for that drops
out as the repeat that it is.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Lock
from typing import Final

# What a scanner notes that follows each of a hundred links, several times over; and what no reader comes near.
MOST_A_DAY: Final = 500
# A mail provider's image proxies load for all its people from a few networks.
MOST_A_MINUTE: Final = 6_000
# So many messages are known at once; those that were noticed last.
REMEMBERED: Final = 20_000
# What one customer of an access provider has to itself at least (RFC 6177), and the usual smallest route.
IPV6_PREFIX, IPV4_PREFIX = 56, 24


@dataclass(slots=True)
class Noticed:
    """What was noticed of a message: the facts of this hour, and how many notes there were today."""

    hour: str = ""
    facts: set[str] = field(default_factory=set)
    day: str = ""
    notes: int = 0


class Repeats:
    """Thread-safe, and of bounded size."""

    def __init__(self, most_a_day: int = MOST_A_DAY, most_a_minute: int = MOST_A_MINUTE) -> None:
        self._most_a_day = most_a_day
        self._most_a_minute = most_a_minute
        self._messages = OrderedDict[int, Noticed]()
        self._networks = dict[str, int]()
        self._minute = ""
        self._lock = Lock()

    def is_news(self, message_id: int, fact: str, network: str, now: datetime) -> bool:
        """Whether this is worth a note: it is none of this hour's facts of the message, and neither the message nor the
        network ("" where nobody knows it) has had too many. It counts as noted from then on."""
        with self._lock:
            noticed = self._noticed(message_id, now)
            if fact in noticed.facts or noticed.notes >= self._most_a_day or not self._has_room(network, now):
                return False
            noticed.facts.add(fact)
            noticed.notes += 1
            return True

    def forget(self, message_id: int, fact: str) -> None:
        """It could not be kept after all."""
        with self._lock:
            if message_id in self._messages:
                self._messages[message_id].facts.discard(fact)

    def _noticed(self, message_id: int, now: datetime) -> Noticed:
        found = self._messages.setdefault(message_id, Noticed())
        self._messages.move_to_end(message_id)
        if len(self._messages) > REMEMBERED:
            self._messages.popitem(last=False)
        hour = f"{now:%Y%m%d%H}"
        if found.hour != hour:
            found.hour, found.facts = hour, set()
        if found.day != hour[:8]:
            found.day, found.notes = hour[:8], 0
        return found

    def _has_room(self, network: str, now: datetime) -> bool:
        minute = f"{now:%d%H%M}"
        if minute != self._minute:
            self._minute = minute
            self._networks.clear()
        if not network:
            return True
        self._networks[network] = count = self._networks.get(network, 0) + 1
        return count <= self._most_a_minute


def network_of(peer: str, forwarded: str = "") -> str:
    """The network of who asked, from the other end's IP address and the X-Forwarded-For header. "" where that is not
    known: an address that is no public one is our own proxy's, and only then the last one that it adds is believed."""
    address = _public(peer)
    if address is None and _is_address(peer):
        address = _public(forwarded.rpartition(",")[2].strip())
    if address is None:
        return ""
    prefix = IPV6_PREFIX if address.version == 6 else IPV4_PREFIX
    return str(ip_network((address, prefix), strict=False))


def _public(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address if address.is_global else None


def _is_address(text: str) -> bool:
    # What comes by a Unix socket has none, and comes from a proxy.
    try:
        ip_address(text or "::1")
    except ValueError:
        return False
    return True
