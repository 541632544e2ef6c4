"""`manage.py take_over_consents`: what contacts say past the records of consent becomes records, too."""

from typing import Any

from django.core.management.base import BaseCommand

from contacts.consent import take_over


class Command(BaseCommand):
    help = (
        "Records the consents that old processes wrote to contacts alone. For after an update from a version that did,"
        " once the last of them has stopped. Says how many there were; a second time there are none."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(f"{take_over():,} consents taken over.")
