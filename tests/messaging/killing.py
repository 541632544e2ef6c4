"""The real task in a process of its own, with a provider whose report kills the process that reads it."""

import os
import signal
import sys
from dataclasses import replace
from typing import Final

from engage.celery import app

WORDS: Final = b"kills its worker"


def main() -> None:
    app.loader.import_default_modules()
    from messaging.tasks import apply_reports  # noqa: PLC0415 -- Django is set up by the line before

    arm()
    sys.stdout.write(f"{apply_reports()}\n")


def arm() -> None:
    """From now on, a report of SendGrid's with WORDS in it kills this process."""
    from messaging.providers.base import ParsedReport, Raw  # noqa: PLC0415
    from messaging.providers.registry import providers  # noqa: PLC0415 -- as above

    parse = providers()["sendgrid"].parse

    def kill(raw: Raw) -> ParsedReport:
        if WORDS in raw.body:
            os.kill(os.getpid(), signal.SIGKILL)
        return parse(raw)

    providers()["sendgrid"] = replace(providers()["sendgrid"], parse=kill)


if __name__ == "__main__":
    main()
