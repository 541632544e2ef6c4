"""The frame of a contact's card: its head with the state of both addresses, and the tabs around a panel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from contacts import consent, labels
from contacts.addresses import display_mobile
from contacts.blocks.record import unended_blocks
from contacts.models import Block, Channel, Consent, Contact
from contacts.pages import HtmxRequest, is_partial

# Of an address so many are shown.
MOST_CONSENTS: Final = 20
# One more than are named.
MOST_SHARERS: Final = 6


@dataclass(frozen=True, slots=True)
class AddressLine:
    """One address of a contact, and whether we send to it."""

    channel: Channel
    value: str
    block: Block | None
    is_unsubscribed: bool
    consent_at: datetime | None
    consent: Consent | None = None
    address_id: int | None = None
    # A hard bounce of a suspected outage: it waits for a decision and stops no sending.
    held: Block | None = None


def find(guid: UUID) -> Contact:
    """The contact and, as `label_rows`, its labels: one query. Raises Http404."""
    return get_object_or_404(Contact.objects.annotate(label_rows=labels.ROWS), guid=guid)


def find_with_sharers(guid: UUID) -> Contact:
    """A contact with some of those who share its addresses, as `email_sharers` and `mobile_sharers`: one query."""
    found = Contact.objects.annotate(
        label_rows=labels.ROWS, email_sharers=_sharers_by("email_address"), mobile_sharers=_sharers_by("mobile_address")
    )
    return get_object_or_404(found, guid=guid)


def _sharers_by(field: str) -> ArraySubquery:
    others = Contact.objects.filter(**{field: OuterRef(field)}).exclude(pk=OuterRef("pk")).order_by()
    names = {name: name for name in ("guid", "first_name", "last_name", "email", "mobile")}
    return ArraySubquery(others.values(row=JSONObject(**names))[:MOST_SHARERS])


def lines_of(
    contact: Contact, blocks: Mapping[int, Block], told: Mapping[int, Consent] | None = None
) -> list[AddressLine]:
    """The contact's addresses as they are shown, email first; an address that it has not got has no value."""
    told = told or {}
    email, mobile = blocks.get(contact.email_address_id or 0), blocks.get(contact.mobile_address_id or 0)
    return [
        AddressLine(
            Channel.EMAIL, contact.email, _in_force(email), not contact.accepts_email, contact.email_consent_at,
            told.get(contact.email_address_id or 0), contact.email_address_id, _held(email),
        ),
        AddressLine(
            Channel.SMS, display_mobile(contact.mobile_digits), _in_force(mobile), not contact.accepts_sms,
            contact.sms_consent_at, told.get(contact.mobile_address_id or 0), contact.mobile_address_id, _held(mobile),
        ),
    ]  # fmt: skip


def _in_force(block: Block | None) -> Block | None:
    return block if block is not None and block.is_in_force else None


def _held(block: Block | None) -> Block | None:
    return block if block is not None and block.is_held else None


def head_lines(contact: Contact) -> list[AddressLine]:
    """The addresses with their blocks, and by what the person opted out: one query, two where they did."""
    ids = [contact.email_address_id, contact.mobile_address_id]
    is_out = not (contact.accepts_email and contact.accepts_sms)
    return lines_of(contact, unended_blocks(ids), consent.latest(ids) if is_out else {})


@dataclass(frozen=True, slots=True)
class Consents:
    """What was said at one address of a contact, the newest first, and what that comes to."""

    channel: Channel
    accepts: bool
    since: datetime | None
    said: list[Consent]
    sharers: list[Contact]


def consents(contact: Contact) -> list[Consents]:
    """Of both channels: one query. The contact as `find_with_sharers` gives it."""
    told = consent.told_of([contact.email_address_id, contact.mobile_address_id])
    email, mobile = told.get(contact.email_address_id or 0, []), told.get(contact.mobile_address_id or 0, [])
    by_email, by_mobile = _sharers(contact, "email_sharers"), _sharers(contact, "mobile_sharers")
    return [
        Consents(Channel.EMAIL, contact.accepts_email, contact.email_consent_at, email[:MOST_CONSENTS], by_email),
        Consents(Channel.SMS, contact.accepts_sms, contact.sms_consent_at, mobile[:MOST_CONSENTS], by_mobile),
    ]


def _sharers(contact: Contact, rows: str) -> list[Contact]:
    return [Contact(**row) for row in getattr(contact, rows)]


def render_tab(
    request: HtmxRequest, contact: Contact, tab: str, template: str, context: Mapping[str, Any]
) -> HttpResponse:
    """One tab of the card: the panel alone for HTMX, else the whole card around it."""
    everything = {**context, "contact": contact, "tab": tab, "panel": template}
    if is_partial(request):
        return render(request, "contacts/panel.html", everything)
    return render(request, "contacts/card.html", {**everything, "lines": head_lines(contact)})
