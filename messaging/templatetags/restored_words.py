"""What pages of send-outs say while nothing leaves, and the bars of the page Restored."""

from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from messaging.sendouts import restored
from messaging.sendouts.restored import AtWork

register = template.Library()


@register.inclusion_tag("messaging/nothing_leaves.html", takes_context=True)
def nothing_leaves(context: dict[str, Any]) -> dict[str, Any]:
    """A strip for everybody after a restore, until an administrator has decided; nothing else."""
    return {"restore": restored.current(), "perms": context["perms"]}


@register.simple_tag
def split_bar(each: AtWork) -> SafeString:
    """Of a send-out that was under way: what was handed over before the backup, what left since for certain, and the
    rest. Nothing where there is nothing to show."""
    before = each.sent_to - each.waited
    parts = {"good": before, "warn": each.least, "idle": each.waited - each.least}
    total = sum(parts.values())
    if not each.sent_to or min(parts.values()) < 0:
        return SafeString()
    at, rects = 0.0, list[tuple[str, str, str]]()
    for look, n in parts.items():
        rects.append((look, f"{at:.2f}", f"{n * 600 / total:.2f}"))
        at += n * 600 / total
    said = _("%(before)s handed over before the backup, at least %(since)s left since, of %(rest)s nobody knows") % {
        "before": intcomma(before), "since": intcomma(each.least), "rest": intcomma(parts["idle"]),
    }  # fmt: skip
    return format_html(
        '<svg class="chart split-bar" viewBox="0 0 600 10" preserveAspectRatio="none" role="img" aria-label="{}">{}'
        "</svg>",
        said, format_html_join("", '<rect class="{}" x="{}" width="{}" height="10"/>', rects),
    )  # fmt: skip
