"""Mails on disk: a file, an mbox, a Maildir, a folder of any of them. One mail at a time is in memory."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from messaging.bounces.mail.parsed import with_lf

CHUNK: Final = 1 << 20
# RFC 4155: the line between the mails of an mbox. A line of prose may begin with "From ", too, but not go on so.
FROM_LINE: Final = re.compile(rb"From \S*.{0,80}\b\d{1,2}:\d\d(:\d\d)?\b.{0,40}\d{4}\b.{0,20}$")
HEADER: Final = re.compile(rb"[!-9;-~]+[ \t]*:")


def mail_files(path: str) -> Iterator[str]:
    """The files at `path`: itself, or those in the folder and the folders below it, in the order of their names.

    Of a Maildir only the mails; hidden files are left out. A path that does not exist comes back as it is.
    """
    if not Path(path).is_dir():
        yield path
        return
    with os.scandir(path) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    if {"cur", "new"} <= {folder.name for folder in folders}:
        # Maildir++: its own folders begin with a point.
        entries = [folder for folder in folders if folder.name in {"cur", "new"} or folder.name.startswith(".")]
    else:
        entries = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from mail_files(entry.path)
        elif entry.is_file():
            yield entry.path


def mails_in(stream: IO[bytes]) -> Iterator[bytes]:
    """The mails in a file: one, or those of an mbox."""
    begin = stream.read(5)
    if begin != b"From ":
        yield begin + stream.read()
        return
    yield from _mails_of_mbox(begin, stream)


def _mails_of_mbox(begin: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    mail: list[bytes] = []
    for line in _lines(begin, stream):
        # A From line stands after a blank line and before a header; whether one follows is only known with it.
        if len(mail) > 2 and HEADER.match(line) and FROM_LINE.match(mail[-1]) and not mail[-2].strip():
            yield b"\n".join(mail[:-1])
            mail = [mail[-1]]
        mail.append(line)
    yield b"\n".join(mail)


def _lines(begin: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream, whatever their ends are."""
    rest = begin
    while chunk := stream.read(CHUNK):
        rest += chunk
        # A carriage return at the end may be the first half of a line end.
        ready = len(rest.rstrip(b"\r"))
        *lines, last = with_lf(rest[:ready]).split(b"\n")
        yield from lines
        rest = last + rest[ready:]
    yield from with_lf(rest).split(b"\n")
