"""The messages of a send-out as CSV, in flat memory however many there are.

By keyset, a piece a statement: a cursor over all of them would be one transaction for as long as somebody downloads.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import QuerySet

from contacts.blocks.exporting import harmless
from messaging.models import Message, Progress, SendOut

CHUNK: Final = 2_000
PLAIN: Final = {
    "message": "pk", "status": "status", "status_since": "status_at", "reason": "reason", "code": "code",
    "handed_over": "sent_at", "attempts": "attempts", "next_attempt": "next_attempt_at", "gives_up": "due_at",
    "opened": "is_opened", "opened_by_a_person": "is_opened_by_person",
}  # fmt: skip
# Whose it is; the server's own words often repeat the address.
PERSONAL: Final = {
    "first_name": "contact__first_name", "last_name": "contact__last_name", "address": "address__value",
    "server_said": "diagnostic",
}  # fmt: skip


def as_csv(send_out: SendOut, status: str = "", *, is_personal: bool) -> Iterator[bytes]:
    """In UTF-8, with the mark by which spreadsheets know it, oldest first; times are UTC, ISO 8601."""
    columns = PLAIN | (PERSONAL if is_personal else {})
    yield _written([list(columns)]).encode("utf-8-sig")
    chosen = messages_of(send_out).order_by("pk").values_list(*columns.values())
    if status:
        chosen = chosen.filter(status=status)
    last = 0
    while rows := list(chosen.filter(pk__gt=last)[:CHUNK]):
        yield _written(list(map(_cells, rows))).encode("utf-8", "replace")
        last = rows[-1][0]


def messages_of(send_out: SendOut) -> "QuerySet[Message, Any]":
    """By number, which has an index, where it is known which they are."""
    found = Message.objects.filter(send_out=send_out)
    progress = Progress.objects.filter(pk=send_out.pk).first()
    if progress is None or progress.first_message is None:
        return found
    return found.filter(pk__gte=progress.first_message, pk__lte=progress.last_message)


def _cells(row: Sequence[Any]) -> list[str]:
    return [harmless(_text(cell)) for cell in row]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="seconds")
    return str(cell)


def _written(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)  # RFC 4180
    return text.getvalue()
