"""The words of the page Providers, and its chart."""

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from messaging.models import Alarm, Tally
from messaging.monitoring.provider_overview import ProviderOverview

register = template.Library()

# The chart's grid: ten units for an hour, 64 for the hour with the most reports.
HOUR_WIDTH = 10
HEIGHT = 64


@register.simple_tag
def hour_bar(hour: Tally, column: int, highest: int) -> SafeString:
    """Where an hour stands in the chart; one without reports is a stroke on the ground."""
    height = max(hour.reports * (HEIGHT - 2) / highest, 1.5) if hour.reports else 1
    look = "reports" if hour.reports else "none"
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
        look, column * HOUR_WIDTH + 1, f"{HEIGHT - height:.2f}", HOUR_WIDTH - 2, f"{height:.2f}",
    )  # fmt: skip


@register.simple_tag
def chart_words(each: ProviderOverview) -> str:
    """What the chart shows, for who cannot see it."""
    if not each.highest:
        return _("No report in the last 48 hours.")
    most = max(each.hours, key=lambda hour: hour.reports)
    said = ngettext("%(n)s report in all.", "%(n)s reports in all.", each.sums["reports"])
    peak = _("The most in one hour: %(n)s, from %(time)s.") % {"n": most.reports, "time": hour_words(most)}
    return f"{said % {'n': each.sums['reports']}} {peak}"


@register.filter
def hour_words(hour: Tally) -> str:
    return date_format(timezone.localtime(hour.hour), "j M, H:i")


@register.simple_tag
def alarm_says(alarm: Alarm, each: ProviderOverview) -> str:
    """What is wrong, and what that means."""
    name = {"name": each.provider.label}
    if alarm.kind == Alarm.Kind.SILENT:
        return _("%(name)s normally reports at this time, and has not. Statuses of its messages stand still.") % name
    if each.takes_some:
        return _("Reports to the address of %(name)s were refused again and again, while others were taken.") % name
    return _("Reports of %(name)s were refused again and again, and none was taken.") % name


@register.simple_tag
def alarm_advice(alarm: Alarm, each: ProviderOverview) -> str:
    """What to do first."""
    words = {"name": each.provider.label, "variable": each.variable}
    if alarm.kind == Alarm.Kind.SILENT:
        asks = _(
            "Is anything being sent at the moment? If so, look at %(name)s: is its webhook there and switched on, with"
            " the address below, and does it log errors?"
        )
        return asks % words
    if each.takes_some:
        return _("So the key is right. Probably a stranger posts there, or a second webhook at %(name)s.") % words
    return _("Probably the key was changed at %(name)s. Copy it from there, and have it set as %(variable)s.") % words
