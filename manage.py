#!/usr/bin/env python
"""Django's command line; brings up the embedded servers where no URL of a real one is set."""

import os
import sys

# Commands that need neither servers nor secrets.
BARE = {"classify"}


def main() -> None:
    if BARE.intersection(sys.argv[1:2]):
        os.environ["DJANGO_SETTINGS_MODULE"] = "messaging.bounces.bare"
        execute()
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
    from engage.local import embedded

    with embedded.environment():
        execute()


def execute() -> None:
    from django.core.management import execute_from_command_line

    from engage.frames import roomy

    roomy(execute_from_command_line)(sys.argv)


if __name__ == "__main__":
    main()
