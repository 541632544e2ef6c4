"""The page Providers: how each of them is doing, what to paste there, and a test report."""

from typing import Any, Final

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.pages import HtmxRequest, is_partial, page
from messaging.monitoring import health, stuckness, test_report
from messaging.monitoring.provider_overview import ProviderOverview, standings
from messaging.providers.registry import providers
from messaging.sendouts.slowness import Absence, absences
from messaging.status.order import Look
from messaging.suppression import outages

CHECK_NAMES: Final = {
    "database": gettext_lazy("Database"),
    "broker": gettext_lazy("Broker"),
    "worker": gettext_lazy("Worker"),
    "beat": gettext_lazy("Beat"),
    "lag": gettext_lazy("Queue"),
    "send_outs": gettext_lazy("Send-outs"),
    "bounce_server": gettext_lazy("Bounce server"),
    "bounce_mailbox": gettext_lazy("Mailbox reader"),
}


@page("messaging.see_providers")
def overview(request: HtmxRequest) -> HttpResponse:
    """All of it; for HTMX what changes. The alarms only where they are others than those `?seen=`."""
    context = context_of(request)
    if not is_partial(request):
        return render(request, "messaging/providers.html", context)
    is_news = request.GET.get("seen") != context["seen"]
    return render(request, "messaging/providers_news.html", {**context, "is_news": is_news})


@page("messaging.see_providers", methods=("POST",))
def test(request: HtmxRequest, slug: str) -> HttpResponse:
    """Send a test report to our own webhook, and say what became of it."""
    provider = providers().get(slug)
    if provider is None or not provider.methods or not provider.is_set_up():
        raise Http404
    result = test_report.send(provider)
    tested = {"slug": slug, "provider": provider, "result": result, "look": PROBE_LOOKS[result.outcome]}
    if is_partial(request):
        return render(request, "messaging/probe.html", {"tested": tested})
    return render(request, "messaging/providers.html", {**context_of(request), "tested": tested})


def context_of(request: HtmxRequest) -> dict[str, Any]:
    set_up, others = standings()
    checks = [(CHECK_NAMES[check.name], check) for check in (*health.checks(), *health.carriers())]
    alarms = [(each, alarm) for each in set_up for alarm in each.alarms]
    waiting, gone, stuck = outages.undecided(), absences(), stuckness.stuck()
    seen = [*(str(alarm.pk) for _each, alarm in alarms), *(f"o{outage.pk}" for outage in waiting)]
    seen += (each.kind for each in stuck)
    return {
        "set_up": set_up,
        "others": others,
        "checks": checks,
        "alarms": alarms,
        "absences": gone,
        "stuck": stuck,
        "outages": waiting,
        "seen": ".".join([*seen, *(f"a{each.alarm.pk}{each.alarm.cause}" for each in gone)]),
        "unwell": _("Warning") if stuck else unwell(set_up, checks, gone),
        # Support staff may follow the figures to the rows behind them.
        "may_see_reports": request.user.is_staff and request.user.has_perm("messaging.view_report"),
        "may_see_codes": request.user.is_staff and request.user.has_perm("messaging.view_unlistedcode"),
        "may_see_hours": request.user.is_staff and request.user.has_perm("messaging.view_tally"),
    }


def unwell(set_up: list[ProviderOverview], checks: list[tuple[Any, health.Check]], gone: list[Absence]) -> str:
    """What the title of the page begins with where something is wrong."""
    is_wrong = bool(gone) or any(each.alarms for each in set_up) or not all(check.is_good for _name, check in checks)
    return _("Warning") if is_wrong else ""


PROBE_LOOKS: Final = {
    test_report.ProbeOutcome.PROVED: (Look.GOOD, "check"),
    test_report.ProbeOutcome.REACHED: (Look.GOOD, "check"),
    test_report.ProbeOutcome.REFUSED: (Look.BAD, "lock"),
    test_report.ProbeOutcome.ELSEWHERE: (Look.BAD, "cross"),
    test_report.ProbeOutcome.UNREACHABLE: (Look.BAD, "cross"),
}
