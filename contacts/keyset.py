"""Pages by keyset, newest first: each starts where the last one ended. No count and no offset."""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model, QuerySet

SIZE: Final = 50
LARGEST: Final = 2**63 - 1
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows; `before` is where the next page starts, None at the end."""

    rows: list[Row]
    before: int | None
    is_first: bool


def page_of(rows: "QuerySet[Row, Any]", before: str) -> Page[Row]:
    """The newest SIZE of `rows` older than the one numbered `before`; anything that is no number: of all."""
    cursor = int(before) if before.isascii() and before.isdigit() and int(before[:19]) <= LARGEST else None
    older = rows if cursor is None else rows.filter(pk__lt=cursor)
    found = list(older.order_by("-pk")[: SIZE + 1])
    has_more = len(found) > SIZE
    return Page(found[:SIZE], found[SIZE - 1].pk if has_more else None, cursor is None)
