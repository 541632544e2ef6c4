"""`manage.py bounce_pipe`: take one bounce mail from standard input, and exit as sysexits.h says."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from messaging.inbox.writer import ReportWriter
from messaging.incoming import pipe


class Command(BaseCommand):
    help = "Take one bounce mail from standard input; for aliases, .forward files and pipe transports."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "recipient", nargs="*", help="The envelope's recipients, where the mail server can hand them over"
        )

    def handle(self, *_args: Any, recipient: list[str], **_options: Any) -> None:
        try:
            code = pipe.take(sys.stdin.buffer, recipient, ReportWriter("Bounce mail"))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the mail must come again, not be sent back
            self.stderr.write(f"The mail is to come again: {type(error).__name__}.")
            code = pipe.LATER
        sys.exit(code)
