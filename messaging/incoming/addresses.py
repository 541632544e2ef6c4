"""The addresses to which bounce mail comes: VERP, a return path of its own for each message.

bounce+<token>@BOUNCE_DOMAIN, and bounce@BOUNCE_DOMAIN for what names its message in another way, such as the complaints
of a feedback loop. Nobody else can make one up: the token proves itself (messaging/tracking/tokens.py).
"""

import re
from collections.abc import Iterable
from typing import Final

from django.conf import settings

from messaging.tracking.tokens import TOKEN, Purpose, is_ours, message_id_of, token_of

LOCAL_PART: Final = "bounce"
# RFC 5321 4.5.1: who takes mail takes that of the postmaster.
POSTMASTER: Final = "postmaster"
# Some servers are set up to cut at a minus instead of a plus.
VERP: Final = re.compile(rf"{LOCAL_PART}[+=-]({TOKEN.pattern})", re.IGNORECASE)


def return_path(message_id: int) -> str:
    """The envelope sender (MAIL FROM) of a message, at most 44 characters before the @."""
    return f"{LOCAL_PART}+{token_of(message_id, Purpose.BOUNCE)}@{settings.BOUNCE_DOMAIN}"


def is_our_domain(address: str) -> bool:
    return bool(settings.BOUNCE_DOMAIN) and address.rpartition("@")[2].lower() == settings.BOUNCE_DOMAIN


def is_taken(address: str) -> bool:
    """Whether mail to the address is for us: of our domain, and with a token that we wrote, if with one."""
    local = address.rpartition("@")[0]
    return address.lower() == POSTMASTER or (
        is_our_domain(address) and (local.lower() in (LOCAL_PART, POSTMASTER) or _is_return_path(local))
    )


def _is_return_path(local: str) -> bool:
    found = VERP.fullmatch(local)
    return found is not None and is_ours(found[1], Purpose.BOUNCE)


def message_of(address: str) -> int | None:
    """The message whose return path it is, whichever its domain: what counts is the token."""
    found = VERP.fullmatch(address.rpartition("@")[0])
    return message_id_of(found[1], Purpose.BOUNCE) if found else None


def messages_of(addresses: Iterable[str]) -> list[int]:
    """The messages whose return paths are among these, each once."""
    return list(dict.fromkeys(filter(None, map(message_of, addresses))))
