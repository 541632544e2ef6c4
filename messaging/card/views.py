"""The Messages tab of the contact card, the details of a message, and its row that keeps itself up to date."""

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django_htmx.http import push_url, trigger_client_event

from contacts import card
from contacts.models import Block, Channel, Contact
from contacts.pages import HtmxRequest, and_stay, is_more, is_partial, page, render_dialog, size_of
from engage.keyset import page_of
from messaging.bounces.certainty import Certainty
from messaging.card.filters import Filters
from messaging.card.headings import heading_of
from messaging.card.rows import is_live, listed, messages_of, rows_of, version_of
from messaging.models import DeliveryEvent, Message
from messaging.status.order import Kind, Status
from messaging.status.timeline import timeline
from messaging.suppression import outages

CONSENT_LOST: Final = frozenset({Kind.COMPLAINED, Kind.UNSUBSCRIBED})


@page("contacts.view_contact", "messaging.view_message")
def messages_tab(request: HtmxRequest, guid: UUID) -> HttpResponse:
    contact, filters = card.find(guid), Filters.of(request.GET)
    found = page_of(listed(filters.narrow(messages_of(contact))), request.GET.get("before", ""), size=size_of(request))
    context = {"contact": contact, "filters": filters, "page": found, "rows": rows_of(found.rows, contact)}
    if is_more(request):
        return and_stay(request, render(request, "messaging/rows.html", {**context, "is_more": True}))
    if not found.rows:
        context["has_others"] = bool(filters or not found.is_first) and messages_of(contact).exists()
    response = card.render_tab(request, contact, "messages", "messaging/tab.html", context)
    address = reverse("messaging:tab", args=[guid]) + (f"?{filters.query}" if filters else "")
    return push_url(response, address) if is_partial(request) else response


@page("messaging.view_message")
def row(request: HtmxRequest, pk: int) -> HttpResponse:
    """The row as it is now, for one that shows `?seen=` an older version; 204 where nothing changed."""
    if not is_partial(request):
        return redirect("messaging:details", pk)
    message = listed(Message.objects.filter(pk=pk)).first()
    if message is None:
        raise Http404
    is_news = request.GET.get("seen") != version_of(message)
    if not is_news and is_live(message):
        return HttpResponse(status=204)
    contact = Contact.objects.filter(pk=message.contact_id).first() if message.contact_id else None
    response = render(request, "messaging/row_news.html", {"rows": rows_of([message], contact), "is_news": is_news})
    return trigger_client_event(response, "status-changed") if is_news else response


@page("messaging.view_message")
def details(request: HtmxRequest, pk: int) -> HttpResponse:
    """What became of a message, why, and what follows."""
    message = get_object_or_404(Message.objects.select_related("send_out", "address", "contact"), pk=pk)
    entries = timeline(Channel(message.channel), message.events.all(), message.parts)
    decisive = next((entry.event for entry in entries if entry.event.key == message.decided_by), None)
    context = {
        "message": message,
        "title": heading_of(message),
        "contact": message.contact,
        "entries": entries,
        "decisive": decisive,
        "is_consent_lost": any(entry.event.kind in CONSENT_LOST for entry in entries),
        **blocks_about(message),
        "needs_second": needs_second(message, decisive),
    }
    return render_dialog(request, "messaging/details.html", context)


def is_lifted_since(message: Message) -> bool:
    """Whether a person has removed a block of the address after what the message shows."""
    lifted_at = message.address.lifted_at
    return lifted_at is not None and message.status_at is not None and lifted_at >= message.status_at


def needs_second(message: Message, decisive: DeliveryEvent | None) -> bool:
    """Whether a hard bounce waits for a second one from another day, as it is a guess what the words mean."""
    if message.status != Status.HARD_BOUNCE or message.channel != Channel.EMAIL or decisive is None:
        return False
    return decisive.certainty == Certainty.GUESS and outages.thresholds().needs_second


def blocks_about(message: Message) -> dict[str, Any]:
    """The block that a hard bounce led to, or else the one in force already."""
    if message.status != Status.HARD_BOUNCE:
        return {}
    blocks = list(Block.objects.filter(address=message.address_id).select_related("ended_by").order_by("-pk")[:20])
    return {
        "blocking": next((block for block in blocks if block.message_id == message.pk), None),
        "is_lifted_since": is_lifted_since(message),
        "open_block": next((block for block in blocks if block.is_in_force), None),
    }
