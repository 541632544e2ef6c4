"""Exim before 4.85, and where its DSN is switched off: https://www.exim.org/exim-html-current/doc/html/spec_html/ch-customizing_messages.html"""

import re
from typing import Final

from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ParsedMail
from messaging.bounces.mail.reports import Report

WARNING: Final = re.compile(r"has not (?:yet )?been delivered|delay", re.IGNORECASE)
# An address stands on a line of its own, two blanks deep; why, on deeper lines below.
RECIPIENT: Final = re.compile(r"^ {2}(\S[^\n]*@[^\n]*)\n((?:(?: {4}|\t)[^\n]*\n?)*)", re.MULTILINE)
ADDRESS: Final = re.compile(r"<?([^\s<>]+@[^\s<>:]+)>?")


def claims(mail: ParsedMail) -> bool:
    return (
        "x-failed-recipients" in mail.headers or "created automatically by mail delivery software" in mail.text[:2000]
    )


def read(mail: ParsedMail) -> list[Report]:
    when = moment_of(mail.headers.get("date"))
    action = "delayed" if WARNING.search(mail.subject) else "failed"
    reports = []
    for line, why in RECIPIENT.findall(mail.text):
        if match := ADDRESS.search(line):
            reports.append(Report(match[1], " ".join(why.split()), action=action, occurred_at=when))
    return reports
