"""`manage.py reclassify`: improved bounce rules applied to what was reported earlier."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from messaging.suppression.reclassification import reclassify


class Command(BaseCommand):
    help = (
        "Judges the stored bounces of emails anew by today's rules, shows what differs, and applies it: statuses,"
        " blocks and their history. If it was stopped, start it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")
        parser.add_argument("--provider", default="", help="only events of this one, such as sendgrid")
        parser.add_argument("--since", default="", help="only events recorded since then, such as 2026-10-01")

    def handle(self, *_args: Any, **options: Any) -> None:
        since = _moment(options["since"])
        shown = self.stderr if options["verbosity"] > 1 else None

        def progress(done: int, pages: int) -> None:
            if shown is not None:
                shown.write(f"{done} of {pages} pages")

        found = reclassify(is_dry_run=options["dry_run"], provider=options["provider"], since=since, progress=progress)
        for line in found.lines():
            self.stdout.write(line)
        total = found.changes.total()
        done = "would change" if options["dry_run"] else "changed"
        self.stdout.write(f"{total:,} of {found.events:,} events {done}.")


def _moment(text: str) -> datetime | None:
    """A day or an ISO 8601 time, in the time zone of the settings where it names none. Raises CommandError."""
    if not text:
        return None
    try:
        moment = parse_datetime(text)
        day = None if moment else parse_date(text)
    except ValueError as error:
        raise CommandError(f"--since: {error}") from error
    if day:
        moment = datetime.combine(day, datetime.min.time())
    if moment is None:
        raise CommandError("--since wants a day or a time, such as 2026-10-01 or 2026-10-01T12:00.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
