"""What pages of send-outs say while nothing leaves."""

from typing import Any

from django import template

from messaging import restored

register = template.Library()


@register.inclusion_tag("messaging/nothing_leaves.html", takes_context=True)
def nothing_leaves(context: dict[str, Any]) -> dict[str, Any]:
    """A strip for everybody after a restore, until an administrator has decided; nothing else."""
    return {"restore": restored.current(), "perms": context["perms"]}
