"""Our links as they come back: cut by line breaks, encoded twice, with what stood behind them in a text. Pure."""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from messaging.tracking.tokens import TOKEN

# Signs that stand in none of our links. Quoted-printable ends a line with `=`, mail programs begin one with `>`
# (RFC 2045 6.7, RFC 3676 4.5); the others have no width.
_BREAKS: Final = re.compile("[\\s=>\u00ad\u200b\u2060\ufeff]+")
_LINK: Final = re.compile(rf"[^a-z0-9]*({TOKEN.pattern})(?:/+(\d{{1,9}})(?![a-z0-9]))?", re.IGNORECASE)
# A link that was encoded more often is nobody's.
MOST_DECODED: Final = 3


class MendedLink(NamedTuple):
    """What is left of a link of ours: its token, and which link of the message it is."""

    token: str
    number: int | None


def mended(path: str) -> MendedLink | None:
    """What `path`, as it stands behind /c/ or /u/, meant; None where no token is to be found in it."""
    for _time in range(MOST_DECODED):
        if "%" not in path:
            break
        path = unquote(path)
    found = _LINK.match(_BREAKS.sub("", path))
    return MendedLink(found[1], int(found[2]) if found[2] else None) if found else None
