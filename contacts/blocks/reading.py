"""A block list as people have it -> addresses. Any sensible encoding, delimiter and header; a stream, in flat memory.

Pure: no database. A line that cannot be read is told with its number, what is wrong and what to do; the rest goes on.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from contacts.cells import LONGEST_CELL, SHORTENED, clean, emails_in, is_like_number, mobile_of
from contacts.headings import ANY, EMAIL, MOBILE, PHONE, column_of, plain
from contacts.lines import Lines, UnreadableListError
from contacts.listing import LOOKED_AT, separator_of
from contacts.models import Channel

# What a reason's words, a code and a server's words say: one of our reasons. (contacts knows no reasons itself.)
ReasonOf = Callable[[str, str, str], str]

# Signs of one record, which may go over many lines.
LONGEST_RECORD: Final = 1_000_000
LONGEST_SHOWN: Final = 200
LONGEST_CODE: Final = 60
# So many records may stand above the headings, such as a title.
MOST_ABOVE: Final = 10

# What the columns are called in the block lists of providers and by people; without blanks, hyphens and underscores.
HEADERS: Final[dict[str, frozenset[str]]] = {
    "channel": frozenset({"channel", "kanal"}),
    "reason": frozenset({
        "reason", "type", "category", "bouncetype", "suppressionreason", "grund", "orsak", "anledning", "raison",
        "motif", "motivo",
    }),
    "code": frozenset({"code", "status", "statuscode", "errorcode", "bouncecode", "smtpcode", "replycode"}),
    "date": frozenset({
        "date", "created", "createdat", "blockedsince", "since", "time", "timestamp", "bouncedat", "addedat", "added",
        "lastupdatetime", "datum", "updatedat",
    }),
    "message": frozenset({
        "message", "diagnostic", "description", "error", "response", "details", "smtpresponse", "servermessage",
        "bouncemessage", "errormessage",
    }),
}  # fmt: skip
# The first of each kind; a phone's only where none is a mobile's, and ANY only where there is no other.
ADDRESS_COLUMNS: Final = {EMAIL: Channel.EMAIL, MOBILE: Channel.SMS, PHONE: Channel.SMS, ANY: None}

# Day, month and year as spreadsheets write them in most of Europe; with slashes nobody can tell which is which.
_DOTTED: Final = re.compile(r"\A(\d\d?)\.(\d\d?)\.(\d{4})((?:,?\s.*)?)\Z")


class BlockLine(NamedTuple):
    """An address to block. (The columns of sql.STAGE, in order.) No start means the time of the import."""

    number: int
    channel: Channel
    value: str
    started_at: datetime | None
    reason: str
    code: str
    diagnostic: str


class Bad(NamedTuple):
    """A line that was left out: its number, how it begins, what is wrong and what to do."""

    number: int
    text: str
    problem: str


@dataclass(slots=True)
class Layout:
    """How the file is built, as far as that is known yet: which column is what."""

    delimiter: str = ","
    has_header: bool = False
    columns: dict[str, int] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "columns": list(self.columns), "ignored": self.ignored}


def read(chunks: Iterable[bytes], reason_of: ReasonOf, layout: Layout) -> Iterator[BlockLine | Bad]:
    """The addresses of a list, and the lines that are none. Fills in `layout` before the first of them.

    Raises UnreadableListError where there is no column with addresses, or nothing below the headings.
    """
    lines, skipped = _with_delimiter(iter(Lines(chunks)), layout)
    records = _records(lines, layout.delimiter, skipped)
    above, first = _first_telling(records, layout)
    yield from above
    if not layout.has_header:
        yield from _read_record(*first, layout, reason_of)
    is_empty = layout.has_header
    for number, found in records:
        is_empty = False
        if isinstance(found, Bad):
            yield found
        else:
            yield from _read_record(number, found, layout, reason_of)
    if is_empty:
        raise UnreadableListError(_("The file is empty: nothing stands below its headings."))


def _with_delimiter(lines: Iterator[str], layout: Layout) -> tuple[Iterator[str], int]:
    """The lines from the first one on that says something, and how many were left out before it."""
    first, skipped = next(lines, ""), 0
    while first and not first.strip():
        first, skipped = next(lines, ""), skipped + 1
    if match := re.fullmatch(r"\s*\"?sep=(.)\"?\s*", first, re.IGNORECASE):
        layout.delimiter = match.group(1)
        return lines, skipped + 1
    ahead = [first, *islice(lines, LOOKED_AT)]
    layout.delimiter = separator_of([line for line in ahead if line.strip()])
    return chain(ahead, lines), skipped


def _first_telling(
    records: Iterator[tuple[int, "list[str] | Bad"]], layout: Layout
) -> tuple[list[Bad], tuple[int, list[str]]]:
    """The first record that has headings or an address, and those above it, which are told as bad."""
    above = list[Bad]()
    for number, cells in islice(records, MOST_ABOVE):
        if isinstance(cells, Bad):
            above.append(cells)
        elif _recognise(layout, cells):
            return above, (number, cells)
        else:
            above.append(Bad(number, layout.delimiter.join(cells)[:LONGEST_SHOWN], _no_address()))
    if not above:
        raise UnreadableListError(_("The file is empty."))
    raise UnreadableListError(_(
        "No column with addresses was found. Put a line above the first one that names the columns: Email or Mobile,"
        " and if you have them Reason, Code, Date and Message."
    ))  # fmt: skip


def _records(lines: Iterator[str], delimiter: str, skipped: int) -> Iterator[tuple[int, "list[str] | Bad"]]:
    bounded = _Bounded(lines)
    reader = csv.reader(bounded, delimiter=delimiter)
    while True:
        number = bounded.begin = reader.line_num + skipped + 1
        bounded.left = LONGEST_RECORD
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            problem = _("A quotation mark that opens here is not closed before line %(line)d. Close or remove it.")
            yield number, Bad(number, "", problem % {"line": reader.line_num + skipped})
            continue
        if any(map(str.strip, cells)):
            yield number, [cell.strip() for cell in cells]


class _Bounded:
    """The lines, up to LONGEST_RECORD of signs for one record. Raises UnreadableListError where one is longer."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        # Where the record begins, and how much of it there may still be.
        self.begin, self.left = 1, LONGEST_RECORD

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.left -= len(line)
        if self.left < 0:
            problem = _("What begins in line %(line)d does not end. Close or remove a quotation mark there.")
            raise UnreadableListError(problem % {"line": self.begin})
        return line


def _recognise(layout: Layout, cells: list[str]) -> bool:
    """Take this line as headings, or else find the column that has an address in it. Whether it has either."""
    found, ignored = dict[str, int](), list[str]()
    for index, cell in enumerate(cells):
        name = _column(cell)
        if name and name not in found:
            found[name] = index
        elif cell:
            ignored.append(cell[:40])
    for less, more in ((PHONE, {MOBILE}), (ANY, {EMAIL, MOBILE, PHONE})):
        if less in found and not more.isdisjoint(found):
            ignored.append(cells[found.pop(less)][:40])
    layout.has_header = not ADDRESS_COLUMNS.keys().isdisjoint(found)
    if layout.has_header:
        layout.columns, layout.ignored = found, ignored
        return True
    at = next((index for index, cell in enumerate(map(clean, cells)) if "@" in cell or is_like_number(cell)), None)
    layout.columns = {} if at is None else {ANY: at}
    return at is not None


def _column(heading: str) -> str:
    said = plain(heading[:LONGEST_SHOWN])
    return next((name for name, known in HEADERS.items() if said in known), "") or column_of(heading)


def _read_record(number: int, cells: list[str], layout: Layout, reason_of: ReasonOf) -> Iterator[BlockLine | Bad]:
    def cell(name: str) -> str:
        index = layout.columns.get(name, len(cells))
        return _unquoted(cells[index][:LONGEST_CELL]) if index < len(cells) else ""

    shown = layout.delimiter.join(cells)[:LONGEST_SHOWN]
    typed = [
        (text, channel) for name, channel in ADDRESS_COLUMNS.items() if (text := _address_cell(cells, layout, name))
    ]
    if not typed:
        yield Bad(number, shown, _no_address())
        return
    code, message = cell("code")[:LONGEST_CODE], cell("message")
    try:
        at = _time(cell("date"))
    except ValidationError as error:
        yield Bad(number, shown, " ".join(error.messages))
        return
    for text, channel in typed:
        values, problems = _addresses(text, channel or _channel(cell("channel"), text))
        for kind, value in values:
            yield BlockLine(number, Channel(kind), value, at, reason_of(cell("reason"), code, message), code, message)
        for problem in problems:
            yield Bad(number, shown, problem)


def _address_cell(cells: list[str], layout: Layout, name: str) -> str:
    index = layout.columns.get(name, len(cells))
    return clean(cells[index])[:LONGEST_CELL] if index < len(cells) else ""


def _no_address() -> str:
    return _("There is no address in this line. Write one, or remove the line.")


def _unquoted(cell: str) -> str:
    """Without the quote that keeps a spreadsheet from running a cell, as our own export writes it."""
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@\uff1d\uff0b\uff0d\uff20" else cell


def _channel(said: str, text: str) -> Channel:
    """What the list says the channel is, or else what the address looks like."""
    if said.lower() in ("email", "mail", "sms", "mobile"):
        return Channel.EMAIL if "mail" in said.lower() else Channel.SMS
    return Channel.SMS if re.fullmatch(r"[+\d][\d\s().-]*", text) or SHORTENED.fullmatch(text) else Channel.EMAIL


def _addresses(text: str, channel: Channel) -> tuple[list[tuple[str, str]], list[str]]:
    """The addresses in a cell, and what is wrong with others."""
    if channel == Channel.EMAIL:
        return emails_in(text)
    try:
        return [(Channel.SMS.value, mobile_of(text))], []
    except ValidationError as error:
        return [], [" ".join(error.messages)]


def _time(text: str) -> datetime | None:
    """ISO 8601, 3.11.2026, or (milli)seconds since 1970; without a time zone it is in ours. Not later than now."""
    if not text:
        return None
    found = _since_1970(text) or _iso(_DOTTED.sub(r"\3-\2-\1\4", text))
    if found is None:
        raise ValidationError(_("The date cannot be read. Write it like 2026-11-03 or 2026-11-03 14:05."))
    return min(found, timezone.now())


def _since_1970(text: str) -> datetime | None:
    if not re.fullmatch(r"\d{9,10}(\.\d+)?|\d{12,13}", text, re.ASCII):
        return None
    seconds = float(text)
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)


def _iso(text: str) -> datetime | None:
    plain = re.sub(r"\s*(UTC|GMT)\Z", "+00:00", text).replace(", ", " ")
    plain = re.sub(r"\A(\d{4})-(\d)(?=-)", r"\1-0\2", plain)
    plain = re.sub(r"\A(\d{4}-\d\d)-(\d)(?!\d)", r"\1-0\2", plain)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", plain):
        plain += "T00:00"
    try:
        found = parse_datetime(plain)
    except ValueError:
        return None
    if found is None:
        return None
    return found if found.tzinfo else timezone.make_aware(found)
