"""What the overview of a contact, a page of contacts, shows of messages. One query each."""

from typing import Any

from django import template
from django.template.context import RequestContext

from contacts.models import Contact
from messaging.rows import messages_of, rows_of
from messaging.year import year_of

register = template.Library()

LATEST = 5


@register.inclusion_tag("messaging/year.html", takes_context=True)
def contact_year(context: RequestContext, contact: Contact) -> dict[str, Any]:
    """The last twelve months and the latest messages."""
    latest = rows_of(messages_of(contact).order_by("-pk")[:LATEST])
    return {
        "contact": contact,
        "year": year_of(contact) if latest else None,
        "latest": latest,
        "request": context["request"],
    }
