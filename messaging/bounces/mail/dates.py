"""When something happened, as mails write it."""

from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import Final

# Before the first SMTP server nothing bounced; a year like 1904 is a clock that was never set.
EARLIEST: Final = 1980


def moment_of(*values: str) -> datetime | None:
    """The first of these dates (RFC 5322 section 3.3) that can be read: aware, UTC. Never raises."""
    for value in values:
        if value and (moment := _moment(value[:200])):
            return moment
    return None


def _moment(value: str) -> datetime | None:
    try:
        found = parsedate_tz(value)
        if not found or found[0] < EARLIEST:
            return None
        moment = datetime(*found[:6], tzinfo=UTC)
        return datetime.fromtimestamp(moment.timestamp() - (found[9] or 0), UTC)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
