"""Lists of addresses that somebody pasted or uploaded: read line by line, kept in batches, bad lines reported.

An address that no contact has is counted and left out: nobody of whom we know nothing has agreed to anything.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Final

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from contacts.addresses import normalise_email, normalise_mobile
from contacts.models import Channel
from contacts.sql import columns
from messaging.sendouts import sql
from messaging.sendouts.models import AddressList

BATCH: Final = 1_000
MOST_LINES: Final = 2_000_000
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
    """The list has more lines than MOST_LINES."""


def keep(name: str, source: IO[bytes] | Iterable[bytes], actor_id: int) -> AddressList:
    """Keep the list that `source` is, by line: one address a line, or a CSV file in which each line has one.

    In UTF-8 (or Latin-1, as older spreadsheets write); separators are comma, semicolon and tab. Raises TooLongError,
    and then keeps nothing.
    """
    with transaction.atomic():
        made = AddressList.objects.create(name=name[:200], created_by_id=actor_id)
        found = _lines(source)
        while batch := list(islice(found, BATCH)):
            _keep_batch(made, batch)
            if made.lines > MOST_LINES:
                raise TooLongError
        made.save()
    return made


def _lines(source: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not empty; not the headings."""
    for number, raw in enumerate(source, 1):
        line = _decoded(raw[:LONGEST_LINE]).strip()
        if line and not (number == 1 and _is_heading(line)):
            yield number, line


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _is_heading(line: str) -> bool:
    return any(cell.strip().strip('"').lower() in HEADINGS for cell in SEPARATORS.split(line))


def _keep_batch(made: AddressList, batch: list[tuple[int, str]]) -> None:
    addresses: set[tuple[str, str]] = set()
    for number, line in batch:
        try:
            channel, value = address_in(line)
            addresses.add((channel.value, value))
        except ValidationError as error:
            made.bad += 1
            if len(made.bad_lines) < MOST_SHOWN:
                shown = line.replace("\0", "")[:LONGEST_SHOWN]
                made.bad_lines.append([number, shown, error.messages[0].replace("\0", "")])
    made.lines += len(batch)
    if addresses:
        with connection.cursor() as cursor:
            cursor.execute(sql.KEEP_LISTED, [*columns(sorted(addresses)), made.pk])
            known, kept = cursor.fetchone()
        made.known += kept
        made.unknown += len(addresses) - known


def address_in(line: str) -> tuple[Channel, str]:
    """The address in a line of one cell or several: the first cell that is one. Raises ValidationError."""
    cells = [cell.strip() for cell in next(csv.reader([line.replace("\r", " ")], delimiter=_separator(line)), [])]
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
