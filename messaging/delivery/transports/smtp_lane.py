"""A lane: the mails that wait for the same servers, and the connections that carry them. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from messaging.delivery.transports.smtp_commands import Outgoing
from messaging.delivery.transports.smtp_connection import Wire

# At once to one server, unless told otherwise.
CONNECTIONS: Final = 4


@dataclass(eq=False)
class Lane:
    """The mails for the same servers. `hosts` are those that were not tried in vain yet, most preferred first."""

    hosts: list[str]
    waiting: deque[Outgoing] = field(default_factory=deque)
    wires: set[Wire] = field(default_factory=set)
    openings: int = 0
    most: int = CONNECTIONS
    closings: int = 0
    # The first of them has refused a connection while others were being opened: what they come to is waited for.
    is_refusing: bool = False
    # Their servers must show by a valid certificate that they are who the DNS says (mta_sts.py).
    is_proven: bool = False

    @property
    def place(self) -> tuple[str, bool]:
        return self.hosts[0], self.is_proven
