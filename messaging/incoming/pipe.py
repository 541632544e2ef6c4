"""A mail out of a pipe, as aliases and .forward files make one; answered with the codes of sysexits.h."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from django.conf import settings

from messaging.inbox.writer import ReportWriter
from messaging.incoming import addresses, mails
from messaging.incoming.room import Room

WAY: Final = "pipe"
# sysexits.h: the mail server bounces the mail, or tries again later.
OK: Final = os.EX_OK
NO_MAIL: Final = os.EX_DATAERR
NOBODY: Final = os.EX_NOUSER
LATER: Final = os.EX_TEMPFAIL
# Where mail servers tell to whom the mail came: local(8) of Postfix, Exim's pipe transport, qmail-command(8).
VARIABLES: Final = ("ORIGINAL_RECIPIENT", "RECIPIENT")
MBOX_LINE: Final = re.compile(rb"\AFrom [^\n]*\n")


def take(stream: BinaryIO, recipients: list[str], inbox: ReportWriter) -> int:
    """Keep the mail in the stream. Returns what to exit with."""
    if not all(map(addresses.is_taken, recipients)):
        return NOBODY
    body, size = _read(stream)
    if not body.strip():
        return NO_MAIL
    whole_size = size if size > len(body) else 0
    mail = mails.kept(MBOX_LINE.sub(b"", body), WAY, recipients=recipients or _told(os.environ), whole_size=whole_size)
    if not Room().takes(mail) or not inbox.keep_all([mail]):
        return LATER
    inbox.wake_worker()
    return OK


def _told(environment: Mapping[str, str]) -> Iterator[str]:
    """The recipient, by the mail server; not one of ours where an alias led here, and then it says nothing."""
    return (environment[name] for name in VARIABLES if addresses.is_taken(environment.get(name, "")))


def _read(stream: BinaryIO) -> tuple[bytes, int]:
    """The mail, cut where it is longer than a report may be, and its whole size.

    Read to its end all the same: a broken pipe would look like a fault.
    """
    body = stream.read(settings.REPORT_MAX_BYTES)
    size = len(body)
    while more := stream.read(1024 * 1024):
        size += len(more)
    return body, size
