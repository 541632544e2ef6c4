"""A block list as people have it -> addresses. Any sensible encoding, delimiter and header; a stream, in flat memory.

Pure: no database. A line that cannot be read is told with its number, what is wrong and what to do; the rest goes on.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from contacts.addresses import normalise_email, normalise_mobile
from contacts.headings import ANY, COLUMNS, EMAIL, MOBILE, PHONE, plain
from contacts.lines import Lines, UnreadableListError
from contacts.models import Channel

# What a reason's words, a code and a server's words say: one of our reasons. (contacts knows no reasons itself.)
ReasonOf = Callable[[str, str, str], str]

# Signs of one record, which may go over many lines.
LONGEST_RECORD: Final = 1_000_000
LONGEST_CELL: Final = 1_000
LONGEST_SHOWN: Final = 200
LONGEST_CODE: Final = 60
DELIMITERS: Final = ",;\t|"

_EMAIL, _MOBILE, _ANY = "email", "mobile", "address"
# What the columns are called in the block lists of providers and by people; without blanks, hyphens and underscores.
HEADERS: Final[dict[str, frozenset[str]]] = {
    _EMAIL: COLUMNS[EMAIL],
    _MOBILE: COLUMNS[MOBILE] | COLUMNS[PHONE] | {"number"},
    _ANY: COLUMNS[ANY],
    "channel": frozenset({"channel", "kanal"}),
    "reason": frozenset({"reason", "type", "category", "bouncetype", "suppressionreason", "grund"}),
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
ADDRESS_COLUMNS: Final = {_EMAIL: Channel.EMAIL, _MOBILE: Channel.SMS, _ANY: None}
PLAIN_LOCAL: Final = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*\Z")
# What a spreadsheet makes of a long number.
SHORTENED: Final = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)
IN_BRACKETS: Final = re.compile(r".*<([^<>]+)>\s*\Z", re.DOTALL)


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

    Raises UnreadableListError where there is no column with addresses.
    """
    lines = iter(Lines(chunks))
    first, skipped = next(lines, ""), 0
    while first and not first.strip():
        first, skipped = next(lines, ""), skipped + 1
    if match := re.fullmatch(r"sep=(.)\s*", first, re.IGNORECASE):
        layout.delimiter, skipped = match.group(1), skipped + 1
        first = next(lines, "")
    else:
        layout.delimiter = max(DELIMITERS, key=_outside_quotes(first).count)
    records = _records(_chained(first, lines), layout.delimiter, skipped)
    number, cells = next(records, (0, None))
    if isinstance(cells, Bad) or not cells:
        raise UnreadableListError(_("The file is empty."))
    _recognise(layout, cells)
    if not layout.has_header:
        yield from _read_record(number, cells, layout, reason_of)
    for number, found in records:
        if isinstance(found, Bad):
            yield found
        else:
            yield from _read_record(number, found, layout, reason_of)


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


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


def _recognise(layout: Layout, cells: list[str]) -> None:
    """Take the first line as header, or else find the column that has an address in it."""
    for index, cell in enumerate(cells):
        said = plain(cell)
        name = next((name for name, known in HEADERS.items() if said in known), "")
        if name and name not in layout.columns:
            layout.columns[name] = index
        elif cell:
            layout.ignored.append(cell[:40])
    layout.has_header = not ADDRESS_COLUMNS.keys().isdisjoint(layout.columns)
    if layout.has_header:
        return
    layout.ignored, layout.columns = [], {}
    for index, cell in enumerate(cells):
        if "@" in cell or re.fullmatch(r"'?[+\d][\d\s().-]{5,}", cell):
            layout.columns = {_ANY: index}
            return
    raise UnreadableListError(_(
        "No column with addresses was found. Put a line above the first one that names the columns: Email or Mobile,"
        " and if you have them Reason, Code, Date and Message."
    ))  # fmt: skip


def _read_record(number: int, cells: list[str], layout: Layout, reason_of: ReasonOf) -> Iterator[BlockLine | Bad]:
    def cell(name: str) -> str:
        index = layout.columns.get(name, len(cells))
        return _unquoted(cells[index][:LONGEST_CELL]) if index < len(cells) else ""

    shown = layout.delimiter.join(cells)[:LONGEST_SHOWN]
    typed = [(text, channel) for name, channel in ADDRESS_COLUMNS.items() if (text := cell(name))]
    if not typed:
        yield Bad(number, shown, _("There is no address in this line. Write one, or remove the line."))
        return
    code, message = cell("code")[:LONGEST_CODE], cell("message")
    try:
        at = _time(cell("date"))
        for text, channel in typed:
            kind, value = _address(text, channel or _channel(cell("channel"), text))
            yield BlockLine(number, kind, value, at, reason_of(cell("reason"), code, message), code, message)
    except ValidationError as error:
        yield Bad(number, shown, " ".join(error.messages))


def _unquoted(cell: str) -> str:
    """Without the quote that keeps a spreadsheet from running a cell, as our own export writes it."""
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@\uff1d\uff0b\uff0d\uff20" else cell


def _channel(said: str, text: str) -> Channel:
    """What the list says the channel is, or else what the address looks like."""
    if said.lower() in ("email", "mail", "sms", "mobile"):
        return Channel.EMAIL if "mail" in said.lower() else Channel.SMS
    return Channel.SMS if re.fullmatch(r"[+\d][\d\s().-]*", text) or SHORTENED.fullmatch(text) else Channel.EMAIL


def _address(text: str, channel: Channel) -> tuple[Channel, str]:
    if channel == Channel.EMAIL:
        return channel, _email(text)
    return channel, _mobile(text)


def _email(text: str) -> str:
    """What normalise_email says, but a hundred times as fast for nearly all addresses: domains repeat."""
    if match := IN_BRACKETS.match(text):
        text = match.group(1).strip()
    local, at, domain = text.lower().rpartition("@")
    if at and len(local) <= 64 and len(text) <= 200 and PLAIN_LOCAL.match(local) and (known := _domain(domain)):
        return f"{local}@{known}"
    return normalise_email(text)


@lru_cache(maxsize=50_000)
def _domain(domain: str) -> str:
    """The domain as we write it; empty where it needs a closer look."""
    try:
        return normalise_email(f"x@{domain}").partition("@")[2]
    except ValidationError:
        return ""


def _mobile(text: str) -> str:
    if SHORTENED.fullmatch(text):
        raise ValidationError(
            _("A spreadsheet has shortened this number. Set the column to Text there, and export it again.")
        )
    try:
        return normalise_mobile(text)
    except ValidationError:
        # A spreadsheet drops the plus sign.
        if re.fullmatch(r"[1-9]\d{6,14}", text):
            return normalise_mobile(f"+{text}")
        raise


def _time(text: str) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970; one without a time zone is in ours. Not later than now."""
    if not text:
        return None
    found = _since_1970(text) or _iso(text)
    if found is None:
        raise ValidationError(_("The date cannot be read. Write it like 2026-11-03 or 2026-11-03 14:05."))
    return min(found, timezone.now())


def _since_1970(text: str) -> datetime | None:
    if not re.fullmatch(r"\d{9,10}(\.\d+)?|\d{12,13}", text, re.ASCII):
        return None
    seconds = float(text)
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)


def _iso(text: str) -> datetime | None:
    plain = re.sub(r"\s*(UTC|GMT)\Z", "+00:00", text)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", plain):
        plain += "T00:00"
    try:
        found = parse_datetime(plain)
    except ValueError:
        return None
    if found is None:
        return None
    return found if found.tzinfo else timezone.make_aware(found)
