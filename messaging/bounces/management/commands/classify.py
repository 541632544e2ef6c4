"""`manage.py classify PATH…`: what bounce mails say, as JSON. Needs neither a database nor settings."""

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, Final

from django.core.management.base import BaseCommand

from messaging.bounces.classify import Verdict, classify
from messaging.bounces.mail.files import mail_files, mails_in
from messaging.bounces.mail.reading import Finding, read_mail

STDIN: Final = "-"
ENCODE: Final = json.JSONEncoder(ensure_ascii=False).encode
Row = dict[str, Any]


class Command(BaseCommand):
    help = "Reads mails that came back, and prints a JSON object for each recipient."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths", nargs="*", default=[STDIN], metavar="PATH", help="a file, an mbox, a folder; - is standard input"
        )
        parser.add_argument("--text", action="store_true", help="the input is bare SMTP replies, one a line")

    def handle(self, *_args: object, paths: list[str], text: bool, **_options: object) -> None:
        """Exits with 1 where a file could not be read; the others are."""
        read = rows_of_replies if text else rows_of_mails
        names = (name for path in paths for name in ([STDIN] if path == STDIN else mail_files(path)))
        try:
            # A list, since every file is to be read whatever became of those before.
            if not all([self._is_read(name, read) for name in names]):  # noqa: C419
                sys.exit(1)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has seen enough (`| head`). What is left goes nowhere, at the exit as well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    def _is_read(self, name: str, read: Callable[[IO[bytes]], Iterator[Row]]) -> bool:
        """Prints what the file says, or why it could not be read."""
        try:
            with opened(name) as stream:
                for row in read(stream):
                    self._print({"file": name} | row)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._print({"file": name, "error": error.strerror or str(error)})
            return False
        return True

    def _print(self, row: Row) -> None:
        line = ENCODE(row)
        if not line.isascii() and not is_printable(line, sys.stdout.encoding):
            # A file name that is no text, or letters that this terminal has not: JSON has a way to write them.
            line = json.dumps(row)
        self.stdout.write(line)


def is_printable(line: str, encoding: str | None) -> bool:
    try:
        line.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def opened(name: str) -> Any:
    return nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb")


def rows_of_mails(stream: IO[bytes]) -> Iterator[Row]:
    for raw in mails_in(stream):
        findings = read_mail(raw)
        yield from map(row_of, findings) if findings else [NO_BOUNCE]


def rows_of_replies(stream: IO[bytes]) -> Iterator[Row]:
    """What each line means as a server's reply; it names no recipient."""
    for line in stream:
        said = line.decode("utf-8", "replace").rstrip("\r\n")
        verdict = classify(said)
        yield NO_BOUNCE | {
            "action": action_of(verdict),
            "bounce": verdict.bounce,
            "reason": verdict.reason,
            "reply_code": verdict.reply_code,
            "status_code": verdict.status_code,
            "diagnostic": said,
            "rule": verdict.rule,
            "confidence": verdict.confidence,
        }


def action_of(verdict: Verdict) -> str:
    """What a mail would call it (RFC 3464 2.3.3), by the class of the code; without one it failed."""
    if verdict.reason == "delivered":
        return "delivered"
    return "delayed" if (verdict.status_code or verdict.reply_code).startswith("4") else "failed"


def row_of(finding: Finding) -> Row:
    return {name: getattr(finding, name) for name in NO_BOUNCE}


NO_BOUNCE: Final[Row] = {
    "recipient": "",
    "action": None,
    "bounce": None,
    "reason": None,
    "reply_code": "",
    "status_code": "",
    "diagnostic": "",
    "rule": "",
    "confidence": None,
}
