"""qmail and its kin: the qmail-send bounce message (QSBMF, https://cr.yp.to/proto/qsbmf.txt)."""

import re
from typing import Final

from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ParsedMail
from messaging.bounces.mail.reports import Report

# The first line of every QSBMF is "Hi. This is the", and what follows the name of the program is free.
GREETING: Final = re.compile(r"\A\s*Hi\. This is ", re.IGNORECASE)
# A paragraph about a recipient begins with the address in angle brackets and a colon; the rest is why.
RECIPIENT: Final = re.compile(r"^<([^>\n]+)>:[ \t]*\n?((?:[^\n]+\n?)*)", re.MULTILINE)
REMOTE: Final = re.compile(r"^(?:Remote host said:|Connected to)\s*([\w.\-]+)?", re.MULTILINE)


def claims(mail: ParsedMail) -> bool:
    return bool(GREETING.match(mail.text))


def read(mail: ParsedMail) -> list[Report]:
    when = moment_of(mail.headers.get("date"))
    return [Report(match[1], " ".join(match[2].split()), occurred_at=when) for match in RECIPIENT.finditer(mail.text)]
