"""How the figures of a send-out are written."""

from django import template

register = template.Library()


@register.filter
def share_of(part: int, whole: int) -> str:
    """Per cent, with as many places as it takes to be more than nothing; empty where there is no whole."""
    if not whole or not part:
        return ""
    share = 100 * part / whole
    return f"{share:.1f} %" if share >= 0.05 else f"{share:.3f} %"
