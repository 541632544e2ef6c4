"""The contact list, and the card with its tabs and dialogs."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django_htmx.http import trigger_client_event

from contacts import card, labels, search
from contacts.blocks import record
from contacts.forms import LabelsForm, LiftForm
from contacts.models import Address, Block, Channel, Contact, Label
from contacts.pages import HtmxRequest, and_stay, is_more, is_partial, page, render_dialog, size_of
from engage.keyset import page_of


@page("contacts.view_contact")
def contact_list(request: HtmxRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    meant, label = labels.labelled(search.find(query), request.GET.get("label", ""))
    found = page_of(meant, request.GET.get("before", ""), size=size_of(request), is_search=bool(query))
    blocked = record.open_blocks([pk for row in found.rows for pk in (row.email_address_id, row.mobile_address_id)])
    rows = [(contact, card.lines_of(contact, blocked)) for contact in found.rows]
    kept = urlencode({name: value for name, value in (("q", query), ("label", label and label.pk)) if value})
    context = {"q": query, "page": found, "rows": rows, "label": label, "kept": kept}
    if not is_partial(request):
        return render(request, "contacts/list.html", {**context, "labels": Label.objects.all()})
    part = "rows" if is_more(request) else "results"
    return and_stay(request, render(request, f"contacts/{part}.html", {**context, "is_more": is_more(request)}))


@page("contacts.view_contact")
def overview(request: HtmxRequest, guid: UUID) -> HttpResponse:
    contact = card.find_with_sharers(guid)
    return card.render_tab(request, contact, "overview", "contacts/overview.html", {"consents": card.consents(contact)})


@page("contacts.view_contact")
def history(request: HtmxRequest, guid: UUID) -> HttpResponse:
    contact = card.find(guid)
    changes = contact.changes.select_related("actor")
    context = {"page": page_of(changes, request.GET.get("before", ""), size=size_of(request))}
    if is_more(request):
        found = render(request, "contacts/changes.html", {**context, "contact": contact, "is_more": True})
        return and_stay(request, found)
    return card.render_tab(request, contact, "history", "contacts/history.html", context)


@page("contacts.view_contact")
def head(request: HtmxRequest, guid: UUID) -> HttpResponse:
    """The card's head alone, for a card that learns that an address was blocked while it is open."""
    contact = card.find(guid)
    if not is_partial(request):
        return redirect(contact)
    return render(request, "contacts/head.html", {"contact": contact, "lines": card.head_lines(contact)})


@page("contacts.view_contact", "contacts.label_contact", methods=("GET", "HEAD", "POST"))
def label(request: HtmxRequest, guid: UUID) -> HttpResponse:
    """Choose the labels of a contact."""
    contact = card.find(guid)
    form = LabelsForm(request.POST or None, initial={"labels": contact.labels.all()})
    if request.method != "POST" or not form.is_valid():
        return render_dialog(
            request, "contacts/label.html", {"contact": contact, "form": form}, 422 if form.errors else 200
        )
    chosen, new = form.cleaned_data["labels"], form.cleaned_data["new"].strip()
    labels.put(contact, [each.pk for each in chosen], new, actor_id=request.user.pk)
    if not is_partial(request):
        return redirect(contact)
    contact = card.find(guid)
    response = render(request, "contacts/labelled.html", {"contact": contact, "lines": card.head_lines(contact)})
    return trigger_client_event(response, "labelled", {"focus": "edit-labels"}, after="settle")


@page("contacts.view_contact")
def block(request: HtmxRequest, guid: UUID, pk: int) -> HttpResponse:
    """Why an address is blocked."""
    contact = card.find(guid)
    found = block_of(contact, pk)
    context = {"contact": contact, "blocking": found, "sharers": sharers_of(found.address, contact)}
    return render_dialog(request, "contacts/block.html", context)


@page("contacts.view_contact", "contacts.lift_block", methods=("GET", "HEAD", "POST"))
def lift(request: HtmxRequest, guid: UUID, pk: int) -> HttpResponse:
    """Ask why, and remove the block of an address."""
    contact = card.find(guid)
    found = block_of(contact, pk)
    if request.method != "POST":
        return ask(request, contact, found, LiftForm())
    form = LiftForm(request.POST)
    if not form.is_valid():
        return ask(request, contact, found, form, status=422)
    try:
        record.lift(found.pk, actor_id=request.user.pk, reason=form.cleaned_data["reason"])
    except record.AlreadyLiftedError as error:
        return too_late(request, contact, error.block or found, status=409)
    return lifted(request, contact, found)


def ask(request: HtmxRequest, contact: Contact, found: Block, form: LiftForm, status: int = 200) -> HttpResponse:
    if found.ended_at:
        return too_late(request, contact, found, status=status)
    context = {"contact": contact, "blocking": found, "form": form, "sharers": sharers_of(found.address, contact)}
    return render_dialog(request, "contacts/lift.html", context, status)


def lifted(request: HtmxRequest, contact: Contact, found: Block) -> HttpResponse:
    said = _("Block removed: the next send-out goes to %(address)s again.") % {"address": found.address.value}
    if not is_partial(request):
        messages.success(request, said)
        return HttpResponseRedirect(contact.get_absolute_url())
    response = render(
        request, "contacts/lifted.html", {"contact": contact, "lines": card.head_lines(contact), "notice": said}
    )
    return trigger_client_event(response, "block-lifted", {"focus": f"address-{found.address.channel}"}, after="settle")


def too_late(request: HtmxRequest, contact: Contact, found: Block, status: int) -> HttpResponse:
    """The block is gone already; say who removed it, and show the head as it is now."""
    context = {"contact": contact, "blocking": found, "lines": card.head_lines(contact)}
    return render_dialog(request, "contacts/too_late.html", context, status)


def block_of(contact: Contact, pk: int) -> Block:
    """The block, if it is of an address that the contact has. Raises Http404."""
    addresses = [found for found in (contact.email_address_id, contact.mobile_address_id) if found]
    return get_object_or_404(Block.objects.select_related("address", "ended_by"), pk=pk, address_id__in=addresses)


def sharers_of(address: Address, contact: Contact) -> list[Contact]:
    """Other contacts with the same address, six at most: a block covers them, too."""
    holders = address.contacts_by_email if address.channel == Channel.EMAIL else address.contacts_by_mobile
    return list(holders.exclude(pk=contact.pk).order_by("pk")[:6])
