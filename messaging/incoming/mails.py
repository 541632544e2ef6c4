"""A mail as it is kept: raw, with what its envelope said."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from messaging.inbox.reports import Kept
from messaging.providers.mail.reports import ARRIVED, CONTENT_TYPE, PEER, RECIPIENTS, SENDER, SLUG, WHOLE_SIZE

# RFC 5321 4.5.3.1.3: 256 octets and some.
LONGEST_PATH: Final = 320


def kept(
    body: bytes,
    way: str,
    *,
    recipients: Iterable[str] = (),
    sender: str | None = None,
    arrived_at: datetime | None = None,
    whole_size: int = 0,
    peer: str = "",
) -> Kept:
    """The report of a mail that came by `way` ("lmtp", "imap/<name>" …).

    `recipients` and `sender` are those of the envelope, where it is known ("" is the null sender). `arrived_at`: when
    it came to the mailbox. `whole_size`: its size in bytes where `body` is only its beginning. `peer`: the IP
    address of the server that our own took it from.
    """
    headers = {RECIPIENTS: " ".join(map(_plain, recipients))}
    if sender is not None:
        headers[SENDER] = _plain(sender)
    if arrived_at is not None:
        headers[ARRIVED] = arrived_at.isoformat()
    if whole_size:
        headers[WHOLE_SIZE] = str(whole_size)
    if peer:
        headers[PEER] = peer
    return Kept(
        SLUG, body, CONTENT_TYPE, f"/{way}", {name: value for name, value in headers.items() if value or name == SENDER}
    )


def _plain(address: str) -> str:
    """Without what PostgreSQL's jsonb does not take, which a stranger may have written in there."""
    return "".join(sign if sign.isprintable() and sign != " " else "?" for sign in address)[:LONGEST_PATH]
