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

from contacts.addresses import normalise_email, normalise_mobile
from contacts.headings import ANY, EMAIL, MOBILE, PHONE, column_of
from contacts.lines import Lines
from contacts.models import Channel

LONGEST_CELL: Final = 1_000
SEPARATORS: Final = "\t;|,"
# By so many lines the separator is told, if the first one has no headings.
LOOKED_AT: Final = 200
# A quoted cell may go over so many lines.
LONGEST_QUOTED: Final = 20
# Where a line that is longer than a piece of it may be cut.
LONGEST_CARRIED: Final = 1_000
# What the normalisation would leave as it is: nearly every line, at a hundredth of the time.
PLAIN_EMAIL: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9_+-]|\.(?![.@])){0,62}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,20}", re.ASCII
)
PLAIN_MOBILE: Final = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
_SEP: Final = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')
# What is not to be seen, and what Excel puts before a number that it shall leave alone.
_UNSEEN: Final = dict.fromkeys([0xAD, 0x34F, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF])
_BLANKS: Final = dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_MARKS: Final = str.maketrans(_UNSEEN | _BLANKS)
_SCHEME: Final = re.compile(r"(?:mailto|e-?mail|e-?post|tel|sms|mob(?:il)?)\s*:\s*", re.IGNORECASE)
_IN_BRACKETS: Final = re.compile(r"<\s*(?:mailto:)?([^<>\s]*@[^<>\s]*)\s*>", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[\s,;|<>()\[\]\"]+")
_LIKE_EMAIL: Final = re.compile(r"[^@\s]@")
_NUMBER: Final = re.compile(r"[+(]?\d[\d\s()./\u2010-\u2015-]*")
_FULL_NUMBER: Final = re.compile(r"(?:\+|\(\+|\(?0)")
_DATE: Final = re.compile(
    r"(?:\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ]\d{4}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2})(?:[\sT].*)?"
)
# A day without dashes, and what some countries number their people by.
_DAY_OR_PERSON: Final = re.compile(
    r"(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d(?:[-+]?\d{4})?|\d\d(?:0\d|1[0-2])[0-3]\d[-+]\d{4}"
)
_AMOUNT: Final = re.compile(r"\d{1,3}(?:[., ]\d{3})*[.,]\d{1,2}|\d+[.,]\d{1,2}")
SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
LEAST_DIGITS: Final = 7

Address = tuple[str, str]


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
        if start < len(lines) and (named := _SEP.fullmatch(lines[start][1].translate(_MARKS))):
            self._separator = named[1]
            return lines[start + 1 :]
        self._separator = _separator_of([text for _number, text in lines if text.strip()])
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
        for cell in [cell for cell in meant if _LIKE_EMAIL.search(cell)] or meant:
            found, problems = emails_in(cell)
            emails += found
            wrong += problems
        if (self._channel == Channel.SMS and in_full) or not (emails or wrong):
            chosen = in_full or numbers
            # A line of nothing but numbers is a list of them; in any other, the first is the person's.
            alone = len(chosen) == sum(map(bool, cells))
            mobiles, problems = _mobiles(chosen if alone else chosen[:1])
            if mobiles or not (emails or wrong):
                return mobiles, problems + (_shortened(cells) if not mobiles else [])
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


def _separator_of(lines: Sequence[str]) -> str:
    """By the headings, or else by what most lines have outside of quotes."""
    if not lines:
        return ","
    for line in lines[:3]:
        best = max(SEPARATORS, key=lambda each: sum(map(bool, map(column_of, _cells(line, each)[0]))))
        cells = _cells(line, best)[0]
        if len(cells) > 1 and any(map(column_of, cells)) and not _has_address(cells):
            return best
    outside = [_QUOTED.sub("", line) if '"' in line else line for line in lines]
    return max(SEPARATORS, key=lambda each: sum(each in line for line in outside))


def _cells(text: str, separator: str) -> tuple[list[str], bool]:
    """The cells, clean; and whether a quote is not closed."""
    if '"' not in text:
        return [_clean(cell) for cell in text.split(separator)], False
    pattern = _pattern(separator)
    cells, at, is_open = list[str](), 0, False
    while at <= len(text):
        found = pattern.match(text, at)
        if found is None:
            break
        quoted, after, bare = found.groups()
        if quoted is None:
            is_open |= bare.lstrip().startswith('"')
            cells.append(_clean(bare.replace('"', " ") if bare.lstrip().startswith('"') else bare))
        else:
            cells.append(_clean(quoted.replace('""', '"') + after))
        at = found.end() + 1
    return cells, is_open


@lru_cache
def _pattern(separator: str) -> re.Pattern[str]:
    cell = rf"[^{re.escape(separator)}]*"
    return re.compile(rf' *"((?:[^"]|"")*+)"({cell})|({cell})')


def _emptied(lines: deque[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    while lines:
        yield lines.popleft()


def _clean(cell: str) -> str:
    cell = cell[:LONGEST_CELL] if "@" not in cell else cell
    if not cell.isascii():
        cell = cell.translate(_MARKS)
    return cell.strip().removeprefix("'").strip()


def _has_address(cells: Iterable[str]) -> bool:
    return any("@" in cell or is_like_number(cell) for cell in cells)


def is_like_number(cell: str) -> bool:
    """Whether it may be a phone number: not if it is a day, an amount of money or a person's number."""
    said = _without_scheme(cell)
    if not _NUMBER.fullmatch(said) or sum(map(str.isdigit, said)) < LEAST_DIGITS:
        return False
    return not (_DATE.fullmatch(said) or _DAY_OR_PERSON.fullmatch(said) or _AMOUNT.fullmatch(said))


def _of_column(cell: str, kind: str) -> tuple[Sequence[Address], list[str]]:
    if not cell:
        return (), []
    if "@" in cell and kind in (EMAIL, ANY):
        return emails_in(cell)
    if kind == EMAIL or (kind == ANY and not is_like_number(cell)):
        return (), [_neither()] if kind == ANY else [_no_email(cell)]
    return _mobiles([cell])


def _no_email(cell: str) -> str:
    try:
        normalise_email(cell)
    except ValidationError as error:
        return str(error.messages[0])
    return _neither()


def emails_in(cell: str) -> tuple[list[Address], list[str]]:
    """The addresses in a cell, such as `Anna <anna@example.org>, bert@example.org`; and what is wrong with others."""
    lower = cell.lower()
    if PLAIN_EMAIL.fullmatch(lower):
        return [(Channel.EMAIL.value, lower)], []
    given = _IN_BRACKETS.findall(cell)
    outside = _IN_BRACKETS.sub(",", cell) if given else cell
    given += [each for each in _BETWEEN.split(outside) if _LIKE_EMAIL.search(each)]
    found, problems = list[Address](), list[str]()
    for each in given or [cell]:
        try:
            found.append((Channel.EMAIL.value, _email(each)))
        except ValidationError as error:
            problems.append(str(error.messages[0]))
    return found, problems


def _email(typed: str) -> str:
    said = _without_scheme(typed).strip("'.:*").partition("?")[0]
    lower = said.lower()
    return lower if PLAIN_EMAIL.fullmatch(lower) else normalise_email(said)


def _mobiles(cells: Iterable[str]) -> tuple[list[Address], list[str]]:
    found, problems = list[Address](), list[str]()
    for cell in cells:
        try:
            found.append((Channel.SMS.value, mobile_of(_without_scheme(cell))))
        except ValidationError as error:
            problems.append(str(error.messages[0]))
    return found, problems


def mobile_of(typed: str) -> str:
    """The number in E.164. Raises ValidationError."""
    if PLAIN_MOBILE.fullmatch(typed):
        return typed
    if SHORTENED.fullmatch(typed):
        raise ValidationError(_shortened_words())
    try:
        return normalise_mobile(typed)
    except ValidationError:
        # A spreadsheet drops the plus sign.
        if re.fullmatch(r"[1-9]\d{6,14}", typed):
            return normalise_mobile(f"+{typed}")
        raise


def _without_scheme(cell: str) -> str:
    found = _SCHEME.match(cell)
    return cell[found.end() :] if found else cell


def _shortened(cells: Iterable[str]) -> list[str]:
    return [_shortened_words()] if any(map(SHORTENED.fullmatch, cells)) else []


def _shortened_words() -> str:
    return _("A spreadsheet has shortened this number. Set the column to Text there, and export it again.")


def _neither() -> str:
    return _("Neither an email address nor a mobile number.")
