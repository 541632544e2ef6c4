"""Lines of a text file as people have it, in any sensible encoding: a stream, in flat memory."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

# A longer line comes in pieces.
LONGEST_LINE: Final = 64 * 1024
MARKS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Workbooks of Excel: ZIP (APPNOTE 4.3.7), and the compound files of before ([MS-CFB] 2.2).
WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# Other files that people give for a list: PDF (ISO 32000-1, 7.5.2), RTF, gzip (RFC 1952, 2.3.1), and pictures.
NO_TEXTS: Final = (b"%PDF-", b"{\\rtf", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff")
# What "surrogateescape" makes of bytes that are no UTF-8 (PEP 383).
NO_UTF_8: Final = re.compile("[\udc80-\udcff]+")


class UnreadableListError(Exception):
    """The file is no list of addresses; the message says what to do."""


class Lines:
    """The lines of a file that comes in `chunks`, with their ends, without NULs.

    Bytes that are no UTF-8 are Latin-1 as Windows writes it: in nearly no such text do they happen to be UTF-8. As soon
    as there was one, `is_western` is set. Raises UnreadableListError where the file is no text.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.is_western = False
        self._chunks = chunks

    def __iter__(self) -> Iterator[str]:
        stream = io.BufferedReader(_Chunks(self._chunks), buffer_size=LONGEST_LINE)
        beginning = stream.peek(4096)
        if beginning.startswith(WORKBOOKS):
            raise UnreadableListError(_("This is an Excel workbook. Save it as CSV (Excel: Save as, CSV UTF-8)."))
        if beginning.startswith(NO_TEXTS):
            raise UnreadableListError(_("This is no text file. Save the list as CSV (Excel: Save as, CSV UTF-8)."))
        encoding = _encoding(beginning)
        errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
        text = io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")
        while line := text.readline(LONGEST_LINE):
            yield (line if line.isascii() else self._western(line)).replace("\0", "")

    def _western(self, line: str) -> str:
        found = NO_UTF_8.sub(_as_windows_1252, line)
        self.is_western = self.is_western or found != line
        return found


class _Chunks(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        # A view, since what is left of a long chunk would be copied for every piece of it.
        self._chunks, self._rest = iter(chunks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks)).cast("B")
            except StopIteration:
                return 0
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _encoding(beginning: bytes) -> str:
    """By its byte order mark (Unicode Standard 23.8), or by the zeros that UTF-16 has in every Latin letter."""
    for mark, encoding in MARKS.items():
        if beginning.startswith(mark):
            return encoding
    if beginning[1::2].count(0) > len(beginning) // 4:
        return "utf-16-le"
    if beginning[::2].count(0) > len(beginning) // 4:
        return "utf-16-be"
    return "utf-8"


def _as_windows_1252(found: re.Match[str]) -> str:
    return found[0].encode("utf-8", "surrogateescape").decode("cp1252", "replace")
