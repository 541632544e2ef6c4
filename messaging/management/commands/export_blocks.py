"""`manage.py export_blocks`: all blocks in force as CSV, on standard output or into a file."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from contacts.blocks import exporting
from contacts.blocks.filters import BlockFilter


class Command(BaseCommand):
    help = "Writes all blocks in force as CSV (UTF-8), as `import_blocks` reads it. Memory stays flat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", default="-", help="where to; - for standard output (the default)")

    def handle(self, *_args: Any, file: str, **_options: Any) -> None:
        if file == "-":
            write(sys.stdout.buffer)
            return
        try:
            with Path(file).open("wb") as stream:
                write(stream)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from error


def write(stream: BinaryIO) -> None:
    try:
        stream.writelines(exporting.as_csv(BlockFilter().blocks()))
        stream.flush()
    except BrokenPipeError:
        # Whoever reads has had enough; Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
