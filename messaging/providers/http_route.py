"""How an SMS gateway's HTTP API is reached, out of SMS_ROUTE. Pure: messaging/apps.py makes one at the start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """Workers send by the gateway's HTTP API.

    `base` in place of its own address; `rate`: how many it takes in a second, 0 for as many as it can; `at_once`: how
    many requests are on their way; `options`: what this gateway needs besides.
    """

    slug: str
    user: str = ""
    password: str = field(default="", repr=False)
    base: str = ""
    rate: float = 0
    at_once: int = AT_ONCE
    options: Mapping[str, str] = field(default_factory=dict)
