#!/usr/bin/env python
"""Django's command line; brings up the embedded servers where no URL of a real one is set."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
    from engage import embedded

    with embedded.environment():
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
