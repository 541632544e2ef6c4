"""Lists of addresses that somebody pasted or uploaded (contacts/listing.py): matched in batches, bad lines reported.

An address that no contact has is counted and left out: nobody of whom we know nothing has agreed to anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.db import connection, transaction
from django.utils.translation import gettext as _

from contacts.lines import UnreadableListError
from contacts.listing import Listing
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
LONGEST_SHOWN: Final = 80


class TooLongError(ValueError):
    """The list has more lines than MOST_LINES, or than can be looked at while somebody waits."""


def keep(
    name: str,
    source: Iterable[bytes],
    actor_id: int,
    channel: str = Channel.EMAIL,
    *,
    may_be_empty: bool = False,
) -> AddressList:
    """Keep the list that `source` is, in pieces: addresses, or a CSV file, for a send-out by `channel`.

    Of a line with several addresses each counts as a line. Raises UnreadableListError and TooLongError, and then keeps
    nothing.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        made = AddressList.objects.create(name=name[:200], created_by_id=actor_id)
        for addresses in _read(source, channel, made, MOST_LINES, may_be_empty=may_be_empty):
            cursor.execute(sql.KEEP_LISTED, [*columns(addresses), made.pk])
            known, kept = cursor.fetchone()
            made.known += kept
            made.unknown += len(addresses) - known
        made.save()
    return made


def look(name: str, source: Iterable[bytes], channel: str = Channel.EMAIL) -> tuple[AddressList, list[int]]:
    """What `keep` would find in the list, not saved, and the numbers of the addresses that contacts have.

    Raises UnreadableListError, and TooLongError where it is more than MOST_LIVE_LINES or MOST_LIVE_BYTES.
    """
    found, numbers = AddressList(name=name[:200]), set[int]()
    with connection.cursor() as cursor:
        for addresses in _read(_not_too_much(source), channel, found, MOST_LIVE_LINES):
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


def _read(
    source: Iterable[bytes], channel: str, found: AddressList, most: int, *, may_be_empty: bool = False
) -> Iterator[Sequence[tuple[str, str]]]:
    """The addresses of a batch of lines at a time, each once; what else there is to say goes into `found`."""
    listing, was_western = Listing(source, channel), False
    addresses, read = set[tuple[str, str]](), 0
    for line in listing:
        if listing.western and not was_western:
            was_western = True
            _tell(
                found,
                *listing.western,
                _("Not in UTF-8: read as Western European. If letters are wrong, save as UTF-8."),
            )
        for problem in line.problems:
            _tell(found, line.number, line.text, problem)
        found.bad += len(line.problems)
        found.lines += len(line.problems) + len(line.addresses)
        if found.lines > most:
            raise TooLongError
        addresses.update(line.addresses)
        read += 1
        if read >= BATCH or len(addresses) >= BATCH:
            if addresses:
                yield sorted(addresses)
            addresses, read = set(), 0
    if not found.lines and not may_be_empty:
        raise UnreadableListError(_("This list is empty: nothing stands in it, or nothing but headings."))
    if addresses:
        yield sorted(addresses)


def _tell(found: AddressList, number: int, text: str, problem: str) -> None:
    if len(found.bad_lines) < MOST_SHOWN:
        found.bad_lines.append([number, text.strip()[:LONGEST_SHOWN], problem.replace("\0", "")])
