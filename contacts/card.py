"""The frame of a contact's card: its head with the state of both addresses, and the tabs around a panel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from contacts import labels
from contacts.addresses import display_mobile
from contacts.blocks import unended_blocks
from contacts.models import Block, Change, Channel, Contact
from contacts.pages import HtmxRequest, is_partial


@dataclass(frozen=True, slots=True)
class Line:
    """One address of a contact, and whether we send to it."""

    channel: Channel
    value: str
    block: Block | None
    is_unsubscribed: bool
    consent_at: datetime | None
    opt_out: Change | None = None
    address_id: int | None = None
    # A hard bounce of a suspected outage: it waits for a decision and stops no sending.
    held: Block | None = None


def find(guid: UUID) -> Contact:
    """The contact and, as `label_rows`, its labels: one query. Raises Http404."""
    return get_object_or_404(Contact.objects.annotate(label_rows=labels.ROWS), guid=guid)


def lines_of(contact: Contact, blocks: Mapping[int, Block], opt_outs: Mapping[str, Change] | None = None) -> list[Line]:
    """The contact's addresses as they are shown, email first; an address that it has not got has no value."""
    told = opt_outs or {}
    email, mobile = blocks.get(contact.email_address_id or 0), blocks.get(contact.mobile_address_id or 0)
    return [
        Line(
            Channel.EMAIL, contact.email, _in_force(email), not contact.accepts_email, contact.email_consent_at,
            told.get(Channel.EMAIL), contact.email_address_id, _held(email),
        ),
        Line(
            Channel.SMS, display_mobile(contact.mobile_digits), _in_force(mobile), not contact.accepts_sms,
            contact.sms_consent_at, told.get(Channel.SMS), contact.mobile_address_id, _held(mobile),
        ),
    ]  # fmt: skip


def _in_force(block: Block | None) -> Block | None:
    return block if block is not None and block.is_in_force else None


def _held(block: Block | None) -> Block | None:
    return block if block is not None and block.is_held else None


def head_lines(contact: Contact) -> list[Line]:
    """The addresses with their blocks, and why the person opted out: one query, two where they did."""
    blocks = unended_blocks([contact.email_address_id, contact.mobile_address_id])
    return lines_of(contact, blocks, latest_opt_outs(contact))


def latest_opt_outs(contact: Contact) -> dict[str, Change]:
    if contact.accepts_email and contact.accepts_sms:
        return {}
    changes = contact.changes.filter(kind=Change.Kind.OPTED_OUT).select_related("actor")
    return {change.field: change for change in changes.order_by("field", "-pk").distinct("field")}


def render_tab(
    request: HtmxRequest, contact: Contact, tab: str, template: str, context: Mapping[str, Any]
) -> HttpResponse:
    """One tab of the card: the panel alone for HTMX, else the whole card around it."""
    everything = {**context, "contact": contact, "tab": tab, "panel": template}
    if is_partial(request):
        return render(request, "contacts/panel.html", everything)
    return render(request, "contacts/card.html", {**everything, "lines": head_lines(contact)})
