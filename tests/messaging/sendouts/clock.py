"""Moving the clock: what lies ahead in the database comes nearer."""

from datetime import timedelta

from django.db.models import F

from messaging.models import Message, Pace, SlowDown


def hours_later(hours: float) -> None:
    span = timedelta(hours=hours)
    Message.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=F("next_attempt_at") - span)
    Pace.objects.update(next_at=F("next_at") - span, closed_until=F("closed_until") - span)
    SlowDown.objects.update(until=F("until") - span)
