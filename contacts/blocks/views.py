"""The page Blocks for administrators: the list and its filters, removing many at once, and what was removed so."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import ngettext

from contacts.blocks import exporting, removal
from contacts.blocks.filters import BlockFilter, FilterForm
from contacts.forms import LiftForm
from contacts.models import Block, BulkLift, Contact
from contacts.pages import HtmxRequest, and_stay, is_more, is_partial, page, size_of
from engage.keyset import page_of
from engage.wake import wake

# Beyond this, the list says "more than"; the preview of a removal counts them all.
MOST_COUNTED: Final = 10_000


@page("contacts.view_block", "contacts.lift_block")
def block_list(request: HtmxRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    is_valid = form.is_valid()
    chosen = form.chosen if is_valid else BlockFilter()
    blocks = chosen.blocks() if is_valid else Block.objects.none()
    found = page_of(blocks.select_related("address"), request.GET.get("before", ""), size=size_of(request))
    context = {"form": form, "chosen": chosen, "page": found, "rows": with_holders(found.rows), **times_of(form)}
    if is_more(request):
        return and_stay(request, render(request, "blocks/rows.html", {**context, "is_more": True}))
    counted = blocks.order_by()[: MOST_COUNTED + 1].count()
    count = {"count": min(counted, MOST_COUNTED), "is_counted": counted <= MOST_COUNTED}
    return render(request, "blocks/list.html", {**context, **count}, status=200 if is_valid else 422)


@page("contacts.view_block", "contacts.lift_block", methods=("GET", "HEAD", "POST"))
def remove(request: HtmxRequest) -> HttpResponse:
    """What a removal of many blocks would do; ask why, and begin it."""
    chosen = chosen_of(request.GET)
    seen = removal.preview(chosen)
    if request.method != "POST":
        return ask(request, chosen, seen, LiftForm())
    form = LiftForm(request.POST)
    if not form.is_valid():
        return ask(request, chosen, seen, form, status=422)
    newest = min(number_in(request.POST, "newest") or seen.newest, seen.newest)
    lift = removal.start(chosen, newest=newest, actor_id=request.user.pk, reason=form.cleaned_data["reason"])
    go_on(lift)
    if not lift.is_running:
        messages.success(request, removed_words(lift))
    return redirect(lift)


def ask(
    request: HtmxRequest, chosen: BlockFilter, seen: removal.Preview, form: LiftForm, status: int = 200
) -> HttpResponse:
    context = {"chosen": chosen, "seen": seen, "form": form, "rows": with_holders(seen.examples)}
    return render(request, "blocks/remove.html", context, status=status)


def chosen_of(query: QueryDict) -> BlockFilter:
    """The filter of the URL; `id`, several times, is what was ticked in the list. Raises Http404 for nonsense."""
    asked: dict[str, Any] = {name: query.get(name, "") for name in query}
    if ticked := query.getlist("id"):
        asked = {"ids": ",".join(ticked)}
    try:
        chosen = BlockFilter.of(asked)
    except ValueError as error:
        raise Http404 from error
    if not chosen:
        raise Http404
    return chosen


@page("contacts.view_block", "contacts.lift_block")
def lift_list(request: HtmxRequest) -> HttpResponse:
    found = page_of(BulkLift.objects.select_related("actor", "undone_by"), request.GET.get("before", ""))
    rows = [(lift, filter_of(lift)) for lift in found.rows]
    return render(request, "blocks/lifts.html", {"page": found, "rows": rows})


@page("contacts.view_block", "contacts.lift_block")
def bulk_lift(request: HtmxRequest, pk: int) -> HttpResponse:
    """How far a removal is; for HTMX, which asks again and again, that alone."""
    lift = get_object_or_404(BulkLift.objects.select_related("actor", "undone_by"), pk=pk)
    examples = Block.objects.filter(bulk_lift=lift).select_related("address").order_by("-pk")[: removal.EXAMPLES]
    context = {"lift": lift, "chosen": filter_of(lift)}
    if is_partial(request):
        return render(request, "blocks/lift_state.html", context)
    return render(request, "blocks/lift.html", {**context, "rows": with_holders(list(examples))})


@page("contacts.view_block", "contacts.lift_block", methods=("POST",))
def undo(request: HtmxRequest, pk: int) -> HttpResponse:
    get_object_or_404(BulkLift, pk=pk)
    lift = removal.undo(pk, actor_id=request.user.pk)
    go_on(lift)
    return redirect(lift)


@page("contacts.view_block", "contacts.export_block")
def export(request: HtmxRequest) -> StreamingHttpResponse:
    """The blocks of the filter as CSV, a piece at a time."""
    try:
        chosen = BlockFilter.of(request.GET)
    except ValueError as error:
        raise Http404 from error
    response = StreamingHttpResponse(
        exporting.as_csv(chosen.blocks(), bom=True), content_type="text/csv; charset=utf-8"
    )
    name = f"blocks-{timezone.localtime():%Y-%m-%d-%H%M}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def times_of(form: FilterForm) -> dict[str, str]:
    """What stands in the fields of time: as browsers write it, or else as it was typed."""
    known = getattr(form, "cleaned_data", {})
    typed = {name: str(form[name].value() or "") for name in ("since", "until")}
    return {
        name: f"{timezone.localtime(known[name]):%Y-%m-%dT%H:%M}" if known.get(name) else text
        for name, text in typed.items()
    }


def go_on(lift: BulkLift) -> None:
    if lift.is_running:
        wake("contacts.tasks.carry_on")


def filter_of(lift: BulkLift) -> BlockFilter:
    return BlockFilter.of(lift.filters)


def removed_words(lift: BulkLift) -> str:
    return ngettext("%(n)s block removed.", "%(n)s blocks removed.", lift.lifted) % {"n": f"{lift.lifted:,}"}


def number_in(query: Mapping[str, Any], name: str) -> int:
    typed = str(query.get(name, ""))
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else 0


def with_holders(blocks: Sequence[Block]) -> list[tuple[Block, Contact | None]]:
    """Each block with somebody who has its address now, in two queries for all of them."""
    ids = [block.address_id for block in blocks]
    holders: dict[int | None, Contact] = {}
    for field in ("mobile_address_id", "email_address_id"):
        held = Contact.objects.filter(**{f"{field}__in": ids}).order_by(field, "pk").distinct(field)
        holders |= {getattr(each, field): each for each in held}
    return [(block, holders.get(block.address_id)) for block in blocks]
