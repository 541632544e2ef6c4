"""`manage.py dkim`: the DNS records of the keys that sign our mails; `manage.py dkim new` makes such a key."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from messaging.sendouts.dkim import Key, keys_of, write_new

# RFC 1035 3.3.14: a TXT record is made of strings of at most so many characters.
LONGEST_STRING = 255


class Command(BaseCommand):
    help = "Prints the DNS record to publish for each key of DKIM_KEYS. With `new`, makes a key first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        new = parser.add_subparsers(dest="new").add_parser("new", help="make a key, and print its record")
        new.add_argument("name", metavar="SELECTOR@DOMAIN", help="such as autumn26@shop.example")
        new.add_argument("path", type=Path, help="where to write the private key; must not exist")
        new.add_argument("--ed25519", action="store_true", help="instead of RSA with 2,048 bits")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not options["new"]:
            if not settings.DKIM_KEYS:
                raise CommandError("DKIM_KEYS is not set, so mails are not signed (docs/operators.md).")
            for key in settings.DKIM_KEYS:
                self.stdout.write(printed(key))
            return
        name, path = options["name"], options["path"].absolute()
        try:
            write_new(path, is_ed25519=options["ed25519"])
            (key,) = keys_of(f"{name}={path}")
        except FileExistsError:
            raise CommandError(f"{path} exists. A key that is in use must not be lost; name another file.") from None
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(printed(key))
        self.stdout.write(f'\nWhen the record can be looked up, set DKIM_KEYS="{name}={path}"')


def printed(key: Key) -> str:
    """As a line of a zone file."""
    record = key.record
    strings = (record[at : at + LONGEST_STRING] for at in range(0, len(record), LONGEST_STRING))
    quoted = " ".join(f'"{each}"' for each in strings)
    return f"{key.name}. IN TXT {quoted}"
