"""Lists of addresses that somebody pasted or uploaded: read line by line, matched in batches, bad lines reported.

An address that no contact has is counted and left out: nobody of whom we know nothing has agreed to anything.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from contacts.addresses import normalise_email, normalise_mobile
from contacts.lines import Lines
from contacts.models import Channel
from contacts.sql import columns
from messaging.sendouts import sql
from messaging.sendouts.models import AddressList

BATCH: Final = 1_000
MOST_LINES: Final = 2_000_000
# Of more than that nobody is told before it is saved: lines, and bytes of a file.
MOST_LIVE_LINES: Final = 50_000
MOST_LIVE_BYTES: Final = 2_000_000
# So many bad lines are shown; the others are only counted.
MOST_SHOWN: Final = 50
LONGEST_LINE: Final = 10_000
LONGEST_SHOWN: Final = 80
# What the normalisation would leave as it is: nearly every line, at a hundredth of the time.
PLAIN_EMAIL: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9_+-]|\.(?![.@])){0,62}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,20}", re.ASCII
)
PLAIN_MOBILE: Final = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
HEADINGS: Final = frozenset({"email", "e-mail", "mail", "address", "mobile", "phone", "number", "tel", "telephone"})
SEPARATORS: Final = re.compile(r"[,;\t]")


class TooLongError(ValueError):
    """The list has more lines than MOST_LINES, or than can be looked at while somebody waits."""


def keep(name: str, source: Iterable[bytes], actor_id: int) -> AddressList:
    """Keep the list that `source` is, in pieces: one address a line, or a CSV file in which each line has one.

    Separators are comma, semicolon and tab. Raises UnreadableListError and TooLongError, and then keeps nothing.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        made = AddressList.objects.create(name=name[:200], created_by_id=actor_id)
        for addresses in _read(source, made, MOST_LINES):
            cursor.execute(sql.KEEP_LISTED, [*columns(addresses), made.pk])
            known, kept = cursor.fetchone()
            made.known += kept
            made.unknown += len(addresses) - known
        made.save()
    return made


def look(name: str, source: Iterable[bytes]) -> tuple[AddressList, list[int]]:
    """What `keep` would find in the list, not saved, and the numbers of the addresses that contacts have.

    Raises UnreadableListError, and TooLongError where it is more than MOST_LIVE_LINES or MOST_LIVE_BYTES.
    """
    found, numbers = AddressList(name=name[:200]), set[int]()
    with connection.cursor() as cursor:
        for addresses in _read(_not_too_much(source), found, MOST_LIVE_LINES):
            cursor.execute(sql.KNOWN, columns(addresses))
            known = {number for (number,) in cursor.fetchall()}
            numbers |= known
            found.unknown += len(addresses) - len(known)
    found.known = len(numbers)
    return found, sorted(numbers)


def _not_too_much(source: Iterable[bytes]) -> Iterator[bytes]:
    left = MOST_LIVE_BYTES
    for piece in source:
        left -= len(piece)
        if left < 0:
            raise TooLongError
        yield piece


def _read(source: Iterable[bytes], found: AddressList, most: int) -> Iterator[Sequence[tuple[str, str]]]:
    """The addresses of a batch of lines at a time, each once; what else there is to say goes into `found`."""
    lines = _numbered(source, found)
    while batch := list(islice(lines, BATCH)):
        found.lines += len(batch)
        if found.lines > most:
            raise TooLongError
        if addresses := _addresses(batch, found):
            yield addresses


def _numbered(source: Iterable[bytes], found: AddressList) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not empty; not the headings."""
    lines, number, is_rest, was_western = Lines(source), 0, False, False
    for text in lines:
        number += not is_rest
        line = "" if is_rest else text[:LONGEST_LINE].strip()
        is_rest = not text.endswith(("\n", "\r"))
        if lines.is_western and not was_western:
            was_western = True
            _tell(
                found, number, line, _("Not in UTF-8: read as Western European. If letters are wrong, save as UTF-8.")
            )
        if line and not (number == 1 and _is_heading(line)):
            yield number, line


def _is_heading(line: str) -> bool:
    return any(cell.strip().strip('"').lower() in HEADINGS for cell in SEPARATORS.split(line))


def _addresses(batch: list[tuple[int, str]], found: AddressList) -> Sequence[tuple[str, str]]:
    addresses: set[tuple[str, str]] = set()
    for number, line in batch:
        try:
            channel, value = address_in(line)
            addresses.add((channel.value, value))
        except ValidationError as error:
            found.bad += 1
            _tell(found, number, line, error.messages[0])
    return sorted(addresses)


def _tell(found: AddressList, number: int, line: str, problem: str) -> None:
    if len(found.bad_lines) < MOST_SHOWN:
        found.bad_lines.append([number, line[:LONGEST_SHOWN], problem.replace("\0", "")])


def address_in(line: str) -> tuple[Channel, str]:
    """The address in a line of one cell or several: the first cell that is one. Raises ValidationError."""
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=_separator(line)), [])]
    problem: ValidationError | None = None
    for cell in cells:
        try:
            if "@" in cell:
                return Channel.EMAIL, _email(cell)
            if sum(map(str.isdigit, cell)) >= 7 and not any(map(str.isalpha, cell)):
                return Channel.SMS, _mobile(cell)
        except ValidationError as error:
            problem = error
    raise problem or ValidationError(_("Neither an email address nor a mobile number."))


def _separator(line: str) -> str:
    return next((each for each in ("\t", ";", ",") if each in line), ",")


def _email(cell: str) -> str:
    lower = cell.lower()
    return lower if PLAIN_EMAIL.fullmatch(lower) else normalise_email(cell)


def _mobile(cell: str) -> str:
    return cell if PLAIN_MOBILE.fullmatch(cell) else normalise_mobile(cell)
