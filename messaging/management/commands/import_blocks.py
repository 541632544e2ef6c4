"""`manage.py import_blocks`: block the addresses of a list, whether contacts have them already or get them later."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from contacts.blocks import importing
from contacts.blocks.reading import Bad
from contacts.models import BlockImport
from messaging.suppression.list_reasons import reason_from


class Command(BaseCommand):
    help = (
        "Blocks the addresses of a CSV file with a column Email or Mobile, and perhaps Reason, Code, Date and Message. "
        "Any delimiter and encoding. Harmless to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the list; - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="say what it would do, and block nothing")
        parser.add_argument("--user", help="whose name stands in the histories (default: none)")

    def handle(self, *_args: Any, file: str, dry_run: bool, user: str | None, **_options: Any) -> None:
        actor_id = user_id(user) if user else None
        if file == "-":
            self.run_on(sys.stdin.buffer, "-", 0, actor_id, is_dry=dry_run)
            return
        try:
            with Path(file).open("rb") as stream:
                self.run_on(stream, Path(file).name, Path(file).stat().st_size, actor_id, is_dry=dry_run)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from error

    def run_on(self, stream: BinaryIO, name: str, size: int, actor_id: int | None, *, is_dry: bool) -> None:
        given = BlockImport.objects.create(file_name=name, size=size, actor_id=actor_id)
        try:
            with importing.alone_with(given.pk):
                importing.stage(given, chunks_of(stream), reason_from, self.tell)
            given.refresh_from_db()
            if given.state == BlockImport.State.UNREADABLE:
                raise CommandError(given.error)
            self.stdout.write(summary(given))
        finally:
            if is_dry or given.state in (BlockImport.State.UNREADABLE, BlockImport.State.READING):
                importing.drop(given.pk)
                given.delete()
        if not is_dry:
            self.block(given)

    def block(self, given: BlockImport) -> None:
        importing.confirm(given.pk)
        while importing.step(given.pk):
            pass
        given.refresh_from_db()
        self.stdout.write(f"{given.blocked:,} addresses blocked.")

    def tell(self, bad: Bad) -> None:
        self.stderr.write(f"line {bad.number}: {bad.problem} [{bad.text}]")


def user_id(name: str) -> int:
    found = User.objects.filter(username=name).values_list("pk", flat=True).first()
    if found is None:
        raise CommandError(f"There is no log-in {name!r}.")
    return found


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(importing.PART_BYTES):
        yield chunk


def summary(given: BlockImport) -> str:
    """Such as "1,204 addresses to block, 30 already blocked, 5 bad lines"."""
    parts = [f"{given.to_block:,} addresses to block", f"{given.already:,} already blocked"]
    if given.lifted_since:
        parts.append(f"{given.lifted_since:,} removed by a person since, left alone")
    if given.repeated:
        parts.append(f"{given.repeated:,} named more than once")
    return ", ".join([*parts, f"{given.bad:,} bad lines"])
