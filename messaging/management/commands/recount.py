"""`manage.py recount`: the kept totals of all send-outs, counted anew."""

from typing import Any

from django.core.management.base import BaseCommand

from messaging.sendouts.totals import recount_all


class Command(BaseCommand):
    help = "Counts the messages of all send-outs anew. For after an update during which old workers were still at work."

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(f"{recount_all():,} send-outs counted.")
