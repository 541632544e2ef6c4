"""How much mail may wait unread, so that no flood of it fills the disk before anybody has looked at it.

What has been read and turned out to be nothing of ours goes soon after (retention.py).
"""

import logging
from collections import Counter
from ipaddress import ip_network
from time import monotonic
from typing import Final

from django.conf import settings
from django.db import Error, connection

from messaging.inbox.reports import Kept
from messaging.ledger import sql
from messaging.providers.mail.reports import PEER

log: Final = logging.getLogger(__name__)

# How old the answer of PostgreSQL may be.
ASK_SECONDS: Final = 1.0
# One network may take this part of the room, so that it leaves some to the others.
SHARE_OF_ONE: Final = 1 / 4
# What a mail takes beside its body.
ROW_BYTES: Final = 1_000
# Whoever has one IPv6 address has a /64 of them.
NETWORKS: Final = {4: 32, 6: 64}


class Room:
    """What waits as PostgreSQL last said, and what was let in since. For one thread."""

    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()
        self._asked_at = float("-inf")
        self._was_full = False

    def takes(self, mail: Kept) -> bool:
        """Whether this mail may still come in; if so, it counts. A mail by itself always may, however long."""
        size, network = len(mail.body) + ROW_BYTES, network_of(mail.headers.get(PEER, ""))
        is_full = self._is_full(size, network)
        self._tell(is_full)
        if not is_full:
            self._waiting[network] += size
        return not is_full

    def is_full(self) -> bool:
        """Whether nothing more may come in."""
        is_full = self._is_full(ROW_BYTES, "")
        self._tell(is_full)
        return is_full

    def _is_full(self, size: int, network: str) -> bool:
        if monotonic() - self._asked_at > ASK_SECONDS and not self._ask():
            return False
        most, total, theirs = settings.BOUNCE_WAITING_MAX_BYTES, self._waiting.total(), self._waiting[network]
        # Without a peer it comes from a mail server or mailbox of our own, which has it from many.
        is_theirs_full = bool(network and theirs) and theirs + size > most * SHARE_OF_ONE
        return is_theirs_full or (total > 0 and total + size > most)

    def _ask(self) -> bool:
        """Whether PostgreSQL has answered: without it nothing can be kept anyway, which others tell."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql.WAITING_MAIL, [ROW_BYTES])
                found = cursor.fetchall()
        except Error:
            connection.close()
            return False
        self._waiting.clear()
        for peer, size in found:
            self._waiting[network_of(peer)] += int(size)
        self._asked_at = monotonic()
        return True

    def _tell(self, is_full: bool) -> None:
        """Once when it begins and once when it is over."""
        if is_full and not self._was_full:
            log.warning("Mail is put off until what waits has been read: BOUNCE_WAITING_MAX_BYTES, or too much of one.")
        if self._was_full and not is_full:
            log.info("Mail is taken again.")
        self._was_full = is_full


def network_of(peer: str) -> str:
    """What one sender may have for its own; empty where it is no IP address."""
    try:
        whole = ip_network(peer)
    except ValueError:
        return ""
    return str(whole.supernet(new_prefix=NETWORKS[whole.version]))
