"""Figures for Prometheus, asked of the database at each scrape: so they are the same from whichever process answers."""

import time
from collections.abc import Iterator
from hmac import compare_digest
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from contacts.models import Channel
from messaging.delivery import transport_factory
from messaging.ledger import sql
from messaging.models import Alarm
from messaging.monitoring import alarms, health
from messaging.providers.registry import providers
from messaging.sendouts import restored
from messaging.suppression import outages

# No more of the inbox, and of what is overdue, is counted than this.
MOST_COUNTED: Final = 10_000
# As the columns of sql.TOTALS follow each other.
COUNTERS: Final = {
    "engage_reports": "Reports received, by provider.",
    "engage_report_events": "Events read out of reports at their first reading, by provider.",
    "engage_reports_unreadable": "Reports that could not be read, or not all of them, at their first reading.",
    "engage_reports_unmatched": "Reports that had to wait for a message of ours.",
    "engage_reports_set_aside": "Reports given up: they name no message of ours.",
    "engage_reports_refused": "Reports refused, since their signature was wrong or missing.",
    "engage_mail_dropped": "Mails deleted before REPORT_RETENTION_DAYS, since more came than is kept.",
    "engage_mail_put_off": "Mails told to come again, since too many waited to be read.",
}


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """404 where METRICS_TOKEN is not set, 401 without it."""
    token: str = settings.METRICS_TOKEN
    if not token:
        raise Http404
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    if not compare_digest(given, f"Bearer {token}".encode()):
        return HttpResponse("METRICS_TOKEN, please.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Collector:
    def collect(self) -> Iterator[Metric]:
        yield from _totals()
        yield from _alarms()
        yield _gauge("engage_inbox_lag_seconds", "How long the oldest due report has waited.", health.lag_seconds())
        yield _gauge("engage_inbox_reports", f"Due reports, {MOST_COUNTED} at most.", _counted(sql.INBOX))
        yield _gauge(
            "engage_messages_overdue",
            f"Messages whose time of giving up has passed, {MOST_COUNTED} at most.",
            _counted(sql.OVERDUE),
        )
        yield _gauge(
            "engage_outages_undecided",
            "Suspected outages of receiving domains whose held blocks wait for a decision.",
            len(outages.undecided()),
        )
        yield _gauge("engage_restored", "1 while nothing leaves after a restore, else 0.", float(restored.is_held()))
        yield _gauge(
            "engage_send_outs_standing_still",
            f"Send-outs of which nothing has left for {health.STILL_AFTER_SECONDS // 60} minutes.",
            len(health.standing_still()),
        )
        yield from _heartbeats()


def _totals() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(sql.TOTALS)
        rows = cursor.fetchall()
    for place, (name, says) in enumerate(COUNTERS.items(), 1):
        counter = CounterMetricFamily(name, says, labels=["provider"])
        for row in rows:
            counter.add_metric([row[0]], float(row[place]))
        yield counter
    last = GaugeMetricFamily("engage_last_report_timestamp_seconds", "The last report, Unix time.", labels=["provider"])
    for row in rows:
        if row[-1] is not None:
            last.add_metric([row[0]], row[-1].timestamp())
    yield last


def _alarms() -> Iterator[Metric]:
    on = {(alarm.provider, alarm.kind) for alarm in alarms.current()}
    gauge = GaugeMetricFamily("engage_alarm", "1 while the alarm is on, else 0.", labels=["provider", "kind"])
    for slug, provider in providers().items():
        if provider.is_set_up():
            for kind in (Alarm.Kind.SILENT, Alarm.Kind.REFUSED):
                gauge.add_metric([slug, kind], float((slug, kind) in on))
    for slug in filter(None, map(transport_factory.slug_of, Channel)):
        gauge.add_metric([slug, Alarm.Kind.AWAY], float((slug, Alarm.Kind.AWAY) in on))
    own = {Alarm.Kind.STILL, Alarm.Kind.QUEUE, Alarm.Kind.WRITES}
    closed = {(Alarm.ENGAGE, Alarm.Kind.WRITES)} if alarms.closed_since() else set()
    for kind in sorted(own):
        gauge.add_metric([Alarm.ENGAGE, kind], float((Alarm.ENGAGE, kind) in on | closed))
    yield gauge


def _heartbeats() -> Iterator[Metric]:
    """Missing where the process was never seen, or the broker is away."""
    gauge = GaugeMetricFamily("engage_heartbeat_age_seconds", "Since the last sign of life.", labels=["process"])
    try:
        seen: dict[str, Any] = {name: cache.get(key) for name, key in HEARTBEATS.items()}
    except Exception:  # noqa: BLE001 -- whatever ails the broker, the other figures are worth having
        seen = {}
    for name, at in seen.items():
        if at is not None:
            gauge.add_metric([name], time.time() - at)
    yield gauge


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=value)


def _counted(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [MOST_COUNTED])
        return int(cursor.fetchone()[0])


HEARTBEATS: Final = {
    "worker": health.WORKER,
    "beat": health.BEAT,
    **health.CARRIERS,
}
