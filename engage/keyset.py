"""Pages by keyset, newest first: each starts where the last one ended. No count and no offset."""

from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from django.db import connection, transaction
from django.db.models import F, Model, QuerySet

SIZE: Final = 50
LARGEST: Final = 2**63 - 1
# How many of the newest rows are walked through for a text, before its index is asked.
WALK: Final = 20_000


class Numbered(Protocol):
    """A row of a page: a model, or the values of one with its number among them."""

    @property
    def pk(self) -> Any: ...


Row = TypeVar("Row", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows; `before` is where the next page starts, None at the end."""

    rows: list[Row]
    before: int | None
    is_first: bool


def page_of(rows: "QuerySet[Any, Row]", before: str, *, size: int | None = None, is_search: bool = False) -> Page[Row]:
    """The newest `size` (SIZE) of `rows` older than the one numbered `before`; anything that is no number: of all.

    `is_search`: a text search picks the rows.
    """
    cursor, size = number_in(before), size or SIZE
    if is_search:
        found = newest_matching(rows, size + 1, cursor)
    else:
        older = rows if cursor is None else rows.filter(pk__lt=cursor)
        found = list(older.order_by("-pk")[: size + 1])
    has_more = len(found) > size
    return Page(found[:size], found[size - 1].pk if has_more else None, cursor is None)


def number_in(typed: str) -> int | None:
    """The number of a row, as an address of ours names it; None for anything else."""
    is_number = typed.isascii() and typed.isdigit() and len(typed) <= len(str(LARGEST)) and int(typed) <= LARGEST
    return int(typed) if is_number else None


def newest_number(model: type[Model]) -> int:
    return model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0


def newest_matching(rows: "QuerySet[Any, Row]", most: int, start: int | None = None) -> list[Row]:
    """The newest of those rows that a text search picks, below the number `start`.

    PostgreSQL cannot foresee how many rows hold two texts at once. Where it guesses too many, it walks through the
    whole table by number. So that walk is a short one, and what it does not find is left to the index of the text.
    """
    top = start or newest_number(rows.model) + 1
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_bitmapscan = off")  # the only scan that a GIN index knows
        found = list(rows.filter(pk__lt=top, pk__gte=top - WALK).order_by("-pk")[:most])
        cursor.execute("SET LOCAL enable_bitmapscan = on")
    if len(found) == most:
        return found
    by_text = (F("pk") + 0).desc()  # an order that the primary key's index cannot give
    return list(rows.filter(pk__lt=top).order_by(by_text)[:most])
