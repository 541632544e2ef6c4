"""Admin pages of tables with millions of rows.

A list goes by keyset, newest first: no exact count, no offset, no other order. What is typed into its search field is
looked up by an index. A filter that has no index looks through a window of numbers and offers to look further back.
"""

# ruff: noqa: ARG002 -- Django's hooks hand over more than each of them needs

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import capfirst
from django.urls import reverse

from engage.admin_cells import NOTHING, url_name
from engage.keyset import newest_matching, newest_number

Row = TypeVar("Row", bound=Model)

# How many numbers a filter without an index looks through for one page.
WINDOW: Final = 100_000
# Beyond this, how many there are is not looked at.
MOST_COUNTED: Final = 1_000
LARGEST_NUMBER: Final = 2**63 - 1

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

    class _ModelAdmin(admin.ModelAdmin):
        """Django's own takes no type argument when it runs."""

        def __class_getitem__(cls, model):
            return cls


def number_of(typed: str) -> int | None:
    """The row number that was typed, with or without a leading #; None for anything else."""
    digits = typed.strip().removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return None
    number = int(digits)
    return number if 0 < number <= LARGEST_NUMBER else None


def up_to(rows: "QuerySet[Any, Any]", most: int = MOST_COUNTED) -> int:
    """How many there are; `most` where there are at least as many."""
    return rows.order_by()[:most].count()


class UncountedPaginator(_Paginator):
    """Django asks for one here and there; it shall not count the table."""

    @cached_property
    def count(self) -> int:
        return up_to(self.object_list)  # type: ignore[arg-type]


class KeysetList(ChangeList):
    """A page starts below the number in `p`; `older` is where the next one starts, None at the end."""

    model_admin: "LargeTableAdmin[Any]"
    start: int | None
    older: int | None
    floor: int | None
    is_cut: bool

    def get_ordering(self, request: HttpRequest, queryset: "QuerySet[Any, Any]") -> list[Any]:
        return list(self.model_admin.get_ordering(request)) or ["-pk"]

    def url_for_result(self, result: Model) -> str:
        return reverse(f"admin:{url_name(self.model)}_change", args=[self.model_admin.place_of(result)])

    def get_results(self, request: HttpRequest) -> None:
        self.start = number_of(request.GET.get(PAGE_VAR, ""))
        self.floor = self._window_floor(self.start) if self.is_scan else None
        rows = self.queryset
        if self.start is not None:
            rows = rows.filter(pk__lt=self.start)
        if self.floor is not None:
            rows = rows.filter(pk__gte=self.floor)
        found = self._some(rows, self.list_per_page + 1)
        self.result_list = found[: self.list_per_page]
        self.model_admin.complete(self.result_list)
        self.older = self._older(is_more=len(found) > self.list_per_page)
        self.is_cut = self.older is None and len(found) > self.list_per_page
        self._say_nothing_of_totals(request)

    def _some(self, rows: "QuerySet[Any, Any]", most: int) -> list[Any]:
        if self.query and self.model_admin.searches_text:
            return newest_matching(rows, most, self.start)
        return list(rows[:most])

    @property
    def is_scan(self) -> bool:
        """Whether rows are picked by something that no index answers, and nothing that one does."""
        asked = {name.partition("__")[0] for name, value in self.get_filters_params().items() if any(value)}
        return bool(asked) and not self.query and asked.isdisjoint(self.model_admin.indexed_filters)

    def _window_floor(self, start: int | None) -> int:
        top = newest_number(self.model) + 1
        return max(0, min(start or top, top) - WINDOW)

    def _older(self, *, is_more: bool) -> int | None:
        if is_more and not self.model_admin.needs_question:
            return int(self.result_list[-1].pk)
        return self.floor or None

    def _say_nothing_of_totals(self, request: HttpRequest) -> None:
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(self.result_list)
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)

    @property
    def older_link(self) -> str:
        return self.get_query_string({PAGE_VAR: self.older})

    @property
    def newest_link(self) -> str:
        return self.get_query_string()

    @property
    def is_unasked(self) -> bool:
        """Nothing is shown before something is looked for."""
        return self.model_admin.needs_question and not self.query

    @cached_property
    def about(self) -> int | None:
        """Roughly how many rows the table has, as PostgreSQL last estimated; None where it is few or not known."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [self.opts.db_table])
            rows: int = cursor.fetchone()[0]
        return rows if rows >= MOST_COUNTED else None


@dataclass(frozen=True, slots=True)
class Panel:
    """Rows that belong to what a page shows. A cell is text, or HTML that is safe already."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    none: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A link above the page; with `is_post` a button that does something."""

    label: str
    url: str
    icon: str = ""
    is_post: bool = False


class LargeTableAdmin(_ModelAdmin[Row]):
    """A list and a page for rows of a large table."""

    change_list_template = "admin/large_table.html"
    change_form_template = "admin/row.html"
    list_per_page = 50
    empty_value_display = NOTHING
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    sortable_by = ()
    # Django shows a search field where this is not empty; `search` does the looking up.
    search_fields: ClassVar[tuple[str, ...]] = ("pk",)
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = UncountedPaginator
    actions: tuple[str, ...] | None = None
    view_on_site = False
    # Filters that an index answers for the whole table.
    indexed_filters: ClassVar[frozenset[str]] = frozenset()
    # Whether `search` picks rows by a text within them.
    searches_text: ClassVar[bool] = False
    # Without a question, the list is empty, and it has one page: no index gives all the rows in order.
    needs_question: ClassVar[bool] = False

    def search(self, rows: "QuerySet[Row, Any]", typed: str) -> "QuerySet[Row, Any]":
        """The rows meant by what was typed, found by an index."""
        return rows.filter(pk=number_of(typed))

    def complete(self, rows: Sequence[Row]) -> None:
        """Look up at once what all the rows of a page need besides; a subquery in their own query may read too much."""

    def panels(self, request: HttpRequest, row: Row) -> Iterable[Panel]:
        return ()

    def tools(self, request: HttpRequest, row: Row) -> Iterable[Tool]:
        return ()

    def place_of(self, row: Row) -> object:
        """What stands for the row in the address of its page; `get_object` finds the row by it."""
        return row.pk

    def subtitle(self, row: Row) -> str:
        return f"#{row.pk}"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetList

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> "tuple[QuerySet[Row], bool]":
        typed = search_term.replace("\0", "").strip()
        if not typed:
            return (queryset.none() if self.needs_question else queryset), False
        return self.search(queryset, typed), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Row | None:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            self.complete([found])
        return found

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        titled = {"title": capfirst(str(self.opts.verbose_name_plural))}
        return super().changelist_view(request, titled | (extra_context or {}))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the filters offer: a free lookup could search texts of the whole table."""
        offered = {getattr(each, "parameter_name", each) for each in self.list_filter}
        return lookup.partition("__")[0] in offered

    def render_change_form(  # noqa: PLR0917 -- Django's
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Row | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= {
                "title": capfirst(str(self.opts.verbose_name)),
                "panels": list(self.panels(request, obj)),
                "tools": list(self.tools(request, obj)),
                "subtitle": self.subtitle(obj),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def may_view(self, request: HttpRequest, model: type[Model]) -> bool:
        """Whether the person may see rows of another table; panels of what they may not see are left out."""
        return request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")


class RecordAdmin(LargeTableAdmin[Row]):
    """Rows that tell what happened. Nobody makes, changes or removes one by hand: the history would lie."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False
