"""What machines ask: is it alive, is it ready, and how does it do. No log-in, and no personal data."""

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from messaging import health, tallies


@login_not_required
@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@login_not_required
@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 if the database, the broker, a worker and the beat are there and no report waits for long; else 503."""
    found = health.checks()
    told = {check.name: {"ok": check.is_good, "says": check.says} for check in found}
    return JsonResponse(told, status=200 if all(check.is_good for check in found) else 503)


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text for whoever brings METRICS_TOKEN as a bearer token; 404 where none is set."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "")
    if not constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}"):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    registry.register(EngageCollector())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")


class EngageCollector(Collector):
    """Read from the database at each scrape, so it is the same whichever web process answers."""

    def collect(self) -> Iterable[Metric]:
        yield from _checks()
        yield from _reports()
        yield from _alarms()


def _checks() -> Iterable[Metric]:
    up = GaugeMetricFamily("engage_check", "1 if the check is good.", labels=["check"])
    seconds = GaugeMetricFamily("engage_check_seconds", "Since a heartbeat; lag of the inbox.", labels=["check"])
    for check in health.checks():
        up.add_metric([check.name], float(check.is_good))
        if check.value is not None:
            seconds.add_metric([check.name], check.value)
    return [up, seconds]


def _reports() -> Iterable[Metric]:
    families = {
        name: CounterMetricFamily(f"engage_{name}", f"{text}, by provider.", labels=["provider"])
        for name, text in tallies.COUNTS.items()
    }
    for provider, counts in tallies.totals().items():
        for name, family in families.items():
            family.add_metric([provider], counts[name])
    return families.values()


def _alarms() -> Iterable[Metric]:
    alarm = GaugeMetricFamily("engage_alarm", "1 while a provider needs a look.", labels=["provider", "alarm"])
    for found in tallies.alarms():
        alarm.add_metric([found.provider, found.kind], 1)
    return [alarm]
