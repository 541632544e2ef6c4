"""The mailboxes of IMAP_URLS. Pure: messaging/apps.py reads it at the start.

What is wrong is said without the URL itself: it holds a password.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

EXAMPLE: Final = "imaps://user:password@host:993/INBOX"
# RFC 3501 and 8314: `imap` begins TLS with STARTTLS, unless `tls=no`.
PORTS: Final = {"imap": 143, "imaps": 993}
OPTIONS: Final = ("done", "name", "tls", "ca")
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,29}")
DONE: Final = "Engage-done"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One folder of one account.

    `done`: the folder into which what was kept is moved; empty: it stays, and is marked as seen.
    """

    name: str
    host: str = ""
    port: int = PORTS["imaps"]
    user: str = ""
    password: str = field(default="", repr=False)
    folder: str = "INBOX"
    done: str = DONE
    is_encrypted: bool = True
    is_starttls: bool = False
    ca: str = ""


def mailboxes_of(urls: Iterable[str]) -> dict[str, Mailbox]:
    """The mailboxes by name. Raises ImproperlyConfigured with what to do."""
    found: dict[str, Mailbox] = {}
    for number, url in enumerate(filter(None, map(str.strip, urls)), 1):
        try:
            mailbox = _mailbox(url)
            _require(mailbox.name not in found, f"there are two of the name {mailbox.name!r}; give one name=…")
        except _WrongMailboxError as error:
            # Not chained, as what is below may quote the password.
            raise ImproperlyConfigured(f"IMAP_URLS, number {number}: {error}. See docs/providers/mail.md.") from None
        found[mailbox.name] = mailbox
    return found


class _WrongMailboxError(Exception):
    """What is wrong, without quoting what may be a secret."""


def _require(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise _WrongMailboxError(otherwise)


def _mailbox(url: str) -> Mailbox:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _WrongMailboxError(
            f"it must look like {EXAMPLE}; signs such as @ : / ? # % and , in user or password are written as %40 …"
        ) from None
    user, password, folder = (
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        unquote(parts.path.strip("/")),
    )
    _require(parts.scheme in PORTS, "it must begin with imaps:// or imap://")
    _require(host and user and not parts.fragment, f"it must look like {EXAMPLE}")
    for option in options:
        _require(option in OPTIONS, f"there is no option {option!r}, but {', '.join(OPTIONS)}")
    name, ca = options.get("name", host), options.get("ca", "")
    _require(
        NAME.fullmatch(name), "name must be small letters, digits, points, - and _, at most 30; give one with name=…"
    )
    _require(options.get("tls", "yes") in ("yes", "no"), "tls must be yes or no")
    _require(not ca or Path(ca).is_file(), f"there is no file {ca!r} with the certificate to trust")
    folder, done = folder or "INBOX", options.get("done", DONE)
    _require(done != folder, "done must be another folder than the one that is read")
    is_starttls = parts.scheme == "imap" and options.get("tls", "yes") == "yes"
    return Mailbox(
        name, host, port or PORTS[parts.scheme], user, password, folder, done, parts.scheme == "imaps", is_starttls, ca
    )
