"""Bounces that are no DSN: a module for each family of mail systems, in one declared order.

A form is a module here with two functions, and is named in ORDER, the narrow before the wide:

    claims(mail: ParsedMail) -> bool          cheap: a header, a word of the subject or of the first lines
    read(mail: ParsedMail) -> list[Report]    a report for each recipient in the order of the mail

`read` may return nothing where the mail turns out to be none of its kind; then the next form is asked. Neither
raises. `mail.text` ends where the returned mail begins, so an address in it is not one of the returned mail;
`mail.returned` is that mail. A report carries the server's words (`said`) and leaves their meaning to the rules.
"""

from functools import cache
from importlib import import_module
from typing import Final, Protocol, cast

from messaging.bounces.mail.parsed import ParsedMail
from messaging.bounces.mail.reports import Report

ORDER: Final = ("qmail", "exim", "general")


class Form(Protocol):
    def claims(self, mail: ParsedMail) -> bool: ...
    def read(self, mail: ParsedMail) -> list[Report]: ...


@cache
def forms() -> tuple[Form, ...]:
    return tuple(cast("Form", import_module(f"{__name__}.{name}")) for name in ORDER)


def read(mail: ParsedMail) -> list[Report]:
    """The reports of the first form that knows this mail; empty where none does."""
    for form in forms():
        if form.claims(mail) and (reports := form.read(mail)):
            return reports
    return []
