"""All blocks as CSV, in flat memory however many there are."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any, Final

from django.db.models import QuerySet

from contacts.models import Block

COLUMNS: Final = (
    "address",
    "channel",
    "cause",
    "reason",
    "code",
    "blocked_since",
    "message",
    "alive_since",
    "alive_by",
)
CHUNK: Final = 2_000
# What a spreadsheet may take for a formula (OWASP, CSV Injection), in full width, too, as Japanese ones do; but for a
# number in E.164, which can do nothing.
FORMULA: Final = re.compile(r"\A(?!\+\d+\Z)[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def as_csv(blocks: "QuerySet[Block, Any]", *, bom: bool = False) -> Iterator[bytes]:
    """The blocks as CSV in UTF-8, the newest first, by keyset; `bom` tells spreadsheets that it is UTF-8.

    What import_blocks reads; times are UTC, ISO 8601.
    """
    yield _written([COLUMNS], bom=bom)
    last = None
    ordered = blocks.select_related("address").order_by("-pk")
    while rows := list((ordered if last is None else ordered.filter(pk__lt=last))[:CHUNK]):
        yield _written(_row(block) for block in rows)
        last = rows[-1].pk


def harmless(cell: str) -> str:
    """The cell with a quote before it where a spreadsheet would run it."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def _row(block: Block) -> tuple[str, ...]:
    cells = (
        block.address.value, block.address.channel, block.cause, block.reason, block.code,
        block.started_at.isoformat(timespec="seconds"), block.diagnostic,
        block.life_at.isoformat(timespec="seconds") if block.life_at else "", block.life_by,
    )  # fmt: skip
    return tuple(map(harmless, cells))


def _written(rows: Any, *, bom: bool = False) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)  # RFC 4180
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8", "replace")
