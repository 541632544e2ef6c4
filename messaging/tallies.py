"""How each provider reports, hour by hour; and the alarms: a provider fallen silent, or signatures that fail."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.sql import columns
from messaging import sql
from messaging.models import Tally, UnlistedCode
from messaging.providers import label_of

log = logging.getLogger(__name__)

COUNTS: Final = {
    "reports": "Reports received",
    "refused": "Reports refused for their signature",
    "events": "Events read",
    "unmatched": "Reports that named a message we do not know",
    "unreadable": "Reports that could not be read",
}
# A provider is taken to report regularly if it did in so many of the last 24 hours.
REGULAR_HOURS: Final = 6
REFUSALS_THAT_ALARM: Final = 10


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about a provider that a person should look at."""

    provider: str
    kind: str
    says: str


def count_refusal(provider: str) -> None:
    """One more report of this provider turned away, in this hour."""
    with connection.cursor() as cursor:
        cursor.execute(sql.COUNT_REFUSAL, [provider])


def count(rows: Iterable[tuple[object, ...]]) -> None:
    """Add (provider, hour received, reports, events, unmatched, unreadable, last received), one row each."""
    with connection.cursor() as cursor:
        cursor.execute(sql.COUNT_REPORTS, columns(rows))


def count_unlisted(codes: Iterable[tuple[str, str, int]]) -> None:
    """Add (provider, code, times): codes that a provider's table lacks."""
    with connection.cursor() as cursor:
        cursor.execute(sql.COUNT_UNLISTED, columns(codes))


def totals() -> dict[str, dict[str, int]]:
    """What each provider sent since the tallies began."""
    found = Tally.objects.values("provider").annotate(**{name: Sum(name) for name in COUNTS})
    return {row["provider"]: {name: row[name] for name in COUNTS} for row in found}


def unlisted() -> Iterable[UnlistedCode]:
    """The codes that the tables lack, the most frequent first."""
    return UnlistedCode.objects.order_by("-count", "provider", "code")[:100]


def alarms() -> list[Alarm]:
    """What is wrong now; each is logged once an hour by the task that watches."""
    return [*_silent(), *_failing()]


def warn() -> int:
    """Log every alarm. Returns how many there are."""
    found = alarms()
    for alarm in found:
        log.warning("%s: %s", label_of(alarm.provider), alarm.says)
    return len(found)


def _silent() -> Iterable[Alarm]:
    now = timezone.now()
    silence = timedelta(minutes=settings.SILENCE_MINUTES)
    day = Tally.objects.filter(hour__gte=now - timedelta(hours=25) - silence, reports__gt=0)
    for row in day.values("provider").annotate(hours=Count("hour"), last=Max("last_at")):
        if row["hours"] >= REGULAR_HOURS and row["last"] < now - silence:
            minutes = (now - row["last"]) // timedelta(minutes=1)
            says = _("No report for %(minutes)d minutes, though it usually reports.") % {"minutes": minutes}
            yield Alarm(row["provider"], "silent", says)


def _failing() -> Iterable[Alarm]:
    lately = Tally.objects.filter(hour__gte=timezone.now() - timedelta(hours=2))
    for row in lately.values("provider").annotate(refused=Sum("refused")):
        if row["refused"] >= REFUSALS_THAT_ALARM:
            says = _("%(count)d reports refused lately for their signature. Compare the key with the provider's.")
            yield Alarm(row["provider"], "refused", says % {"count": row["refused"]})
