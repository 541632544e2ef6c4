"""Old reports and events go; what they came to stays."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from messaging.inbox import reports, retention
from messaging.models import DeliveryEvent, Report
from tests.messaging.conftest import make_message
from tests.messaging.inbox.test_reports import fact, kept

pytestmark = pytest.mark.django_db
OLD = timedelta(days=1000)


def test_old_reports_and_events_go_and_the_message_keeps_what_they_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    message = make_message()
    for number in range(5):
        kept([fact(message, "bounce", number, status="5.2.2", reason="552 5.2.2 Mailbox full")])
    reports.apply_pending()
    Report.objects.update(received_at=timezone.now() - OLD)
    DeliveryEvent.objects.update(recorded_at=timezone.now() - OLD)

    assert retention.prune() == {"reports": 5, "events": 5}
    message.refresh_from_db()
    assert (message.status, message.reason, message.code) == ("soft_bounce", "mailbox_full", "552 5.2.2")


def test_what_is_young_or_not_applied_yet_stays(settings: Settings) -> None:
    kept([fact(make_message(), "delivered")])
    reports.apply_pending()
    waiting = kept([], age=OLD)
    assert retention.prune() == {"reports": 0, "events": 0}

    settings.REPORT_RETENTION_DAYS = 0
    Report.objects.filter(pk=waiting.pk).update(next_at=None)

    assert retention.prune() == {"reports": 0, "events": 0}


def test_replay_takes_a_provider_and_a_time() -> None:
    kept([], age=timedelta(days=3))
    kept([])
    kept([], provider="twilio")
    reports.apply_pending()
    said = StringIO()

    day = (timezone.now() - timedelta(days=1)).date().isoformat()
    call_command("replay", "--provider", "sendgrid", "--since", day, stdout=said, stderr=StringIO())

    assert said.getvalue().startswith("1 reports")
    assert Report.objects.filter(next_at__isnull=False).count() == 1


def test_replay_names_the_providers_there_are() -> None:
    with pytest.raises(CommandError, match="sendgrid"):
        call_command("replay", "--provider", "nobody")
