"""What the front page of Django's admin says of reports."""

from typing import Any

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from messaging.support.reports import needing_a_look

register = template.Library()


@register.simple_tag(takes_context=True, name="needing_a_look")
def states_needing_a_look(context: Context) -> list[tuple[SafeString, str, str]]:
    """The states of reports that may want a person, as `needing_a_look` finds them for whoever looks."""
    request: Any = context["request"]
    return needing_a_look(request)
