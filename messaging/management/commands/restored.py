"""`manage.py restored`: say that the database was restored, where Engage cannot see it."""

from typing import Any

from django.core.management.base import BaseCommand

from messaging.sendouts import restored


class Command(BaseCommand):
    help = (
        "Let nothing leave until an administrator has decided on the page Restored: after the whole machine, and not "
        "only the database, was set back. Run it before the workers start."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if restored.hold_by_hand():
            self.stdout.write("Nothing leaves now. An administrator decides on the page Restored.")
        else:
            self.stdout.write("Nothing leaves already.")
