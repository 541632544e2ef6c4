"""How the providers are doing: what the page Providers shows, in a handful of queries for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Max
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from messaging.inbox.hourly_counts import hour_of
from messaging.models import Alarm, Tally, UnlistedCode
from messaging.monitoring import alarms, test_report
from messaging.providers.base import Provider, ReportRoute
from messaging.providers.registry import providers
from messaging.status.order import Look

HOUR: Final = timedelta(hours=1)
HOURS: Final = 48
# Quiet for longer than this, it is not shown as reporting.
RECENT: Final = timedelta(hours=24)
# A code that has not come for longer is in the table by now, or does not matter.
MISSED_LATELY: Final = timedelta(days=30)
ALARM_SIGNS: Final = {Alarm.Kind.SILENT: "bell", Alarm.Kind.REFUSED: "lock"}


@dataclass(frozen=True, slots=True)
class ProviderOverview:
    """One provider: the hours of the chart, the oldest first, and what else is known."""

    provider: Provider
    hours: Sequence[Tally]
    last_at: datetime | None
    unmapped: int
    alarms: Sequence[Alarm]

    @property
    def slug(self) -> str:
        return self.provider.slug

    @property
    def url(self) -> str:
        return test_report.url_of(self.provider) if self.provider.methods else ""

    @property
    def ways(self) -> Sequence[ReportRoute]:
        return self.provider.ways()

    @property
    def can_sign(self) -> bool:
        """Whether we can make a report as the provider would; a template would call `provider.sign`."""
        return self.provider.sign is not None

    @property
    def variable(self) -> str:
        """The setting that holds its keys."""
        return f"{self.slug.upper()}_WEBHOOK_KEYS"

    @property
    def docs(self) -> str:
        return f"docs/providers/{self.slug if self.provider.is_built_in else 'generic'}.md"

    @property
    def sums(self) -> dict[str, int]:
        """Of the hours shown."""
        names = ("reports", "events", "unreadable", "unmatched", "set_aside", "refused", "dropped", "put_off")
        return {name: sum(getattr(hour, name) for hour in self.hours) for name in names}

    @property
    def highest(self) -> int:
        return max(hour.reports for hour in self.hours)

    @property
    def busy_hours(self) -> list[Tally]:
        """The hours in which anything came, the newest first."""
        return [hour for hour in reversed(self.hours) if hour.pk]

    @property
    def state(self) -> tuple[Look, str, str | Promise]:
        """Look, icon and words."""
        if self.alarms:
            kind = Alarm.Kind(self.alarms[0].kind)
            return Look.BAD, ALARM_SIGNS[kind], kind.label
        if self.last_at is None:
            return Look.IDLE, "clock", _("No report yet")
        if timezone.now() - self.last_at > RECENT:
            return Look.IDLE, "clock", _("Quiet")
        return Look.GOOD, "check", _("Reports come in")

    @property
    def takes_some(self) -> bool:
        """Whether reports were taken in this hour or the one before."""
        return any(hour.reports for hour in self.hours[-2:])


def standings(now: datetime | None = None) -> tuple[list[ProviderOverview], list[ProviderOverview]]:
    """The providers that are set up, and those that are not, each by name."""
    now = now or timezone.now()
    hours = _hours(now)
    last = dict(Tally.objects.values_list("provider").annotate(Max("last_at")))
    missed = UnlistedCode.objects.filter(last_at__gte=now - MISSED_LATELY)
    unmapped = dict(missed.values_list("provider").annotate(Count("pk")).order_by())
    on = alarms.current()
    starts = [hour_of(now) - HOUR * ago for ago in reversed(range(HOURS))]
    found = [
        ProviderOverview(
            provider,
            [hours.get((slug, start)) or Tally(provider=slug, hour=start) for start in starts],
            last.get(slug),
            unmapped.get(slug, 0),
            [alarm for alarm in on if alarm.provider == slug and alarm.kind != Alarm.Kind.AWAY],
        )
        for slug, provider in sorted(providers().items(), key=lambda item: item[1].label.lower())
    ]
    set_up = [each for each in found if each.provider.is_set_up()]
    return set_up, [each for each in found if each not in set_up]


def _hours(now: datetime) -> dict[tuple[str, datetime], Tally]:
    first = hour_of(now) - HOUR * (HOURS - 1)
    return {(tally.provider, tally.hour): tally for tally in Tally.objects.filter(hour__gte=first)}
