"""What a contact's card shows of messages."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.template.context import RequestContext

from contacts.card import AddressLine
from contacts.models import Contact
from messaging.card.rows import listed, messages_of, rows_of
from messaging.card.twelve_months import year_of
from messaging.suppression.soft_runs import Run, runs_of

register = template.Library()

LATEST = 5


@register.simple_tag
def with_soft_runs(lines: Iterable[AddressLine]) -> list[tuple[AddressLine, Run | None]]:
    """Each address of a card with its soft bounces in a row, if it is not blocked anyway. One query."""
    lines = list(lines)
    found = runs_of({line.channel: line.address_id for line in lines if line.address_id and not line.block})
    return [(line, found.get(line.channel)) for line in lines]


@register.inclusion_tag("messaging/year.html", takes_context=True)
def contact_year(context: RequestContext, contact: Contact) -> dict[str, Any]:
    """The last twelve months and the latest messages."""
    latest = rows_of(listed(messages_of(contact)).order_by("-pk")[:LATEST], contact)
    return {
        "contact": contact,
        "year": year_of(contact) if latest else None,
        "latest": latest,
        "request": context["request"],
    }
