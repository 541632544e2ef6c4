"""A list of addresses as people have it -> the addresses. Any sensible encoding and separator, headings or none.

The separator belongs to the file, and headings say which column is which. Without headings an email address beats
digits, which may be a date or a customer's number. A stream, in flat memory, linear in its length. Pure: no database.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Final, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts.addresses import normalise_email
from contacts.cells import (
    LIKE_EMAIL,
    Address,
    clean,
    emails_in,
    is_like_number,
    mobiles_in,
    shortened,
    visible,
)
from contacts.headings import ANY, EMAIL, MOBILE, PHONE, column_of
from contacts.lines import Lines
from contacts.models import Channel

SEPARATORS: Final = "\t;|,"
# Stands in no line, so each is one cell.
NONE: Final = "\x1f"
# By so many lines the separator is told, if the first one has no headings.
LOOKED_AT: Final = 200
# A quoted cell may go over so many lines.
LONGEST_QUOTED: Final = 20
# Where a line that is longer than a piece of it may be cut.
LONGEST_CARRIED: Final = 1_000
_SEP: Final = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')
_FULL_NUMBER: Final = re.compile(r"(?:\+|\(\+|\(?0)")


class ListLine(NamedTuple):
    """A line, or a few if a quoted cell goes over them: number, what stands there, addresses, and what is wrong."""

    number: int
    text: str
    addresses: Sequence[Address]
    problems: Sequence[str]


class Listing:
    """The lines of a list that comes in `chunks`. Those that are empty, or headings, are left out.

    `channel`: by which the people are to be written to; an address of that channel goes before one of the other.
    Raises UnreadableListError where the file is no text.
    """

    def __init__(self, chunks: Iterable[bytes], channel: str = Channel.EMAIL) -> None:
        self._lines, self._channel = Lines(chunks), channel
        # Number and text of the first line that is no UTF-8 (lines.py), once it was read.
        self.western: tuple[int, str] | None = None
        self._separator = ","
        # Of each kind, the places of its columns; known once there were headings.
        self._columns: dict[str, list[int]] = {}

    def __iter__(self) -> Iterator[ListLine]:
        lines = self._noting_western(_whole(self._lines))
        first = list(islice(lines, LOOKED_AT))
        first = self._with_separator(first)
        may_be_headings = True
        for number, text, cells in self._records(chain(first, lines)):
            if may_be_headings and not _has_address(cells) and self._take_headings(cells):
                may_be_headings = False
                continue
            found = self._read(number, text, cells)
            may_be_headings &= not found.addresses
            yield found

    def _noting_western(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        for line in lines:
            if self._lines.is_western and self.western is None:
                self.western = line
            yield line

    def _with_separator(self, lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """What is left of the first lines."""
        start = next((place for place, (_number, text) in enumerate(lines) if text.strip()), 0)
        if start < len(lines) and (named := _SEP.fullmatch(visible(lines[start][1]))):
            self._separator = named[1]
            return lines[start + 1 :]
        self._separator = separator_of([text for _number, text in lines if text.strip()])
        return lines

    def _records(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, list[str]]]:
        """Number and text of what is not empty, in cells."""
        back = deque[tuple[int, str]]()
        while (line := back.popleft() if back else next(lines, None)) is not None:
            number, text = line
            cells, is_open = _cells(text, self._separator)
            if is_open:
                ahead = list(islice(chain(_emptied(back), lines), LONGEST_QUOTED))
                text, cells, taken = self._closed(text, cells, ahead)
                back.extendleft(reversed(ahead[taken:]))
            if any(cells):
                yield number, text.strip(), cells

    def _closed(self, text: str, cells: list[str], ahead: Sequence[tuple[int, str]]) -> tuple[str, list[str], int]:
        """With as many of the lines that follow as it takes to close the quote; by itself where none does."""
        whole = text
        for place, (_number, more) in enumerate(ahead):
            whole += f"\n{more}"
            if len(whole) > LONGEST_CARRIED:
                break
            if '"' in more:
                longer, is_open = _cells(whole, self._separator)
                if not is_open:
                    return whole, longer, place + 1
        return text, cells, 0

    def _take_headings(self, cells: Sequence[str]) -> bool:
        found = dict[str, list[int]]()
        for place, cell in enumerate(cells):
            if column := column_of(cell):
                found.setdefault(column, []).append(place)
        self._columns = found
        return bool(found)

    def _read(self, number: int, text: str, cells: list[str]) -> ListLine:
        kinds = (EMAIL, MOBILE, PHONE, ANY) if self._channel == Channel.EMAIL else (MOBILE, PHONE, EMAIL, ANY)
        problems = list[str]()
        is_short = True
        for kind in kinds:
            for place in self._columns.get(kind, ()):
                if place < len(cells):
                    is_short = False
                    addresses, wrong = _of_column(cells[place], kind)
                    if addresses:
                        return ListLine(number, text, addresses[:1] if kind != EMAIL else addresses, ())
                    problems += wrong
        if self._columns.keys() - {ANY} and not is_short:
            return ListLine(number, text, (), problems[:1] or [_neither()])
        addresses, wrong = self._anywhere(cells)
        if not addresses and not wrong:
            addresses, wrong = self._anywhere(re.split(r"[\t;|,]", text))
        return ListLine(number, text, addresses, wrong or ([] if addresses else [_neither()]))

    def _anywhere(self, cells: Sequence[str]) -> tuple[list[Address], list[str]]:
        """Without headings: the numbers if they are asked for and written in full, else the emails, else any number."""
        numbers = [cell for cell in cells if "@" not in cell and is_like_number(cell)]
        in_full = [cell for cell in numbers if _FULL_NUMBER.match(cell)]
        emails, wrong = list[Address](), list[str]()
        meant = [cell for cell in cells if "@" in cell]
        for cell in [cell for cell in meant if LIKE_EMAIL.search(cell)] or meant:
            found, problems = emails_in(cell)
            emails += found
            wrong += problems
        if (self._channel == Channel.SMS and in_full) or not (emails or wrong):
            chosen = in_full or numbers
            # A line of nothing but numbers is a list of them; in any other, the first is the person's.
            alone = len(chosen) == sum(map(bool, cells))
            mobiles, problems = mobiles_in(chosen if alone else chosen[:1])
            if mobiles or not (emails or wrong):
                return mobiles, problems + (shortened(cells) if not mobiles else [])
        return list(dict.fromkeys(emails)), wrong


def _whole(lines: Lines) -> Iterator[tuple[int, str]]:
    """Number and text of each line; one that comes in pieces is cut between two addresses."""
    number, carried, is_rest = 0, "", False
    for text in lines:
        number += not is_rest
        is_rest = not text.endswith(("\n", "\r"))
        whole = carried + text
        carried = ""
        if is_rest and len(text) > LONGEST_CARRIED:
            cut = max(whole.rfind(mark, len(whole) - LONGEST_CARRIED) for mark in ", ;\t")
            if cut >= 0:
                whole, carried = whole[:cut], whole[cut + 1 :]
        yield number, whole.rstrip("\r\n")
    if carried.strip():
        yield number, carried


def separator_of(lines: Sequence[str]) -> str:
    """By the headings, or else by what most lines have outside of quotes."""
    if not lines:
        return ","
    for line in lines[:3]:
        if column_of(clean(line)) and not any(each in line for each in SEPARATORS):
            return NONE  # a heading alone: what stands below is one cell a line
        best = max(SEPARATORS, key=lambda each: sum(map(bool, map(column_of, _cells(line, each)[0]))))
        cells = _cells(line, best)[0]
        if len(cells) > 1 and any(map(column_of, cells)) and not _has_address(cells):
            return best
    outside = [_QUOTED.sub("", line) if '"' in line else line for line in lines]
    return max(SEPARATORS, key=lambda each: sum(each in line for line in outside))


def _cells(text: str, separator: str) -> tuple[list[str], bool]:
    """The cells, clean; and whether a quote is not closed."""
    if '"' not in text:
        return [clean(cell) for cell in text.split(separator)], False
    pattern = _pattern(separator)
    cells, at, is_open = list[str](), 0, False
    while at <= len(text):
        found = pattern.match(text, at)
        if found is None:
            break
        quoted, after, bare = found.groups()
        if quoted is None:
            is_open |= bare.lstrip().startswith('"')
            cells.append(clean(bare.replace('"', " ") if bare.lstrip().startswith('"') else bare))
        else:
            cells.append(clean(quoted.replace('""', '"') + after))
        at = found.end() + 1
    return cells, is_open


@lru_cache
def _pattern(separator: str) -> re.Pattern[str]:
    cell = rf"[^{re.escape(separator)}]*"
    return re.compile(rf' *"((?:[^"]|"")*+)"({cell})|({cell})')


def _emptied(lines: deque[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    while lines:
        yield lines.popleft()


def _has_address(cells: Iterable[str]) -> bool:
    return any("@" in cell or is_like_number(cell) for cell in cells)


def _of_column(cell: str, kind: str) -> tuple[Sequence[Address], list[str]]:
    if not cell:
        return (), []
    if "@" in cell and kind in (EMAIL, ANY):
        return emails_in(cell)
    if kind == EMAIL or (kind == ANY and not is_like_number(cell)):
        return (), [_neither()] if kind == ANY else [_no_email(cell)]
    return mobiles_in([cell])


def _no_email(cell: str) -> str:
    try:
        normalise_email(cell)
    except ValidationError as error:
        return str(error.messages[0])
    return _neither()


def _neither() -> str:
    return _("Neither an email address nor a mobile number.")
