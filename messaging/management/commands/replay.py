"""`manage.py replay`: have kept reports read and applied again, after a fix or a change of a table."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from messaging.inbox import reports
from messaging.models import Report
from messaging.providers.registry import providers

CHUNK: Final = 1_000


class Command(BaseCommand):
    help = "Have kept reports read and applied again; what was recorded once drops out as a repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--provider", help="only this provider's, such as sendgrid")
        parser.add_argument(
            "--since", type=moment, help="only those received since, such as 2026-11-20 or 2026-11-20T14:00"
        )
        parser.add_argument("--state", choices=Report.State.values, help="only those in this state, such as unreadable")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["provider"] and options["provider"] not in providers():
            raise CommandError(f"No provider {options['provider']!r}. There are: {', '.join(sorted(providers()))}.")
        chosen = Report.objects.all()
        if options["provider"]:
            chosen = chosen.filter(provider=options["provider"])
        if options["since"]:
            chosen = chosen.filter(received_at__gte=options["since"])
        if options["state"]:
            chosen = chosen.filter(state=options["state"])
        queued, last = 0, 0
        while ids := list(chosen.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
            queued, last = queued + reports.replay(Report.objects.filter(pk__in=ids)), ids[-1]
            self.stderr.write(f"{queued} reports queued, up to number {last}")
        self.stdout.write(f"{queued} reports will be read and applied again by the workers.")


def moment(text: str) -> datetime:
    """An aware time in UTC. Raises ValueError, which argparse explains."""
    day = parse_date(text)
    found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001 -- made aware below
    if found is None:
        raise ValueError(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
