"""What a bounce tells a human: it often says more than its machine-readable part, and about which recipient."""

import re
from typing import Final

from messaging.bounces.mail.parsed import ADDRESS, ParsedMail
from messaging.bounces.mail.reports import Report

DAEMON: Final = re.compile(
    r"mailer.?daemon|postmaster|mail.?daemon|mail delivery|delivery (?:sub)?system|mailsystem|"
    r"mail administrator|mail.?system|bounce|undeliver|microsoftexchange[0-9a-f]{8,}|failure|mdaemon|mail.?admin",
    re.IGNORECASE,
)
# An answer that names a code and no meaning: then the text for humans has the word.
LEAST_WORDS: Final = 12


def is_from_daemon(mail: ParsedMail) -> bool:
    """Whether a mail server wrote this: by its sender, or an empty return path."""
    headers = mail.headers
    if "x-failed-recipients" in headers:
        return True
    return bool(DAEMON.search(mail.headers.get("from"))) or headers.get("return-path").strip() == "<>"


def completed(mail: ParsedMail, reports: list[Report]) -> list[Report]:
    """The reports, each with what the text for humans tells about its recipient."""
    if not reports:
        return reports
    text = mail.text
    if len(reports) == 1:
        reports[0].prose = text
        if not reports[0].recipient:
            reports[0].recipient = _only_address(text)
        return reports
    lower = text.lower()
    places = sorted(
        (at, report.recipient)
        for report in reports
        if report.recipient and (at := lower.find(report.recipient.lower())) >= 0
    )
    for report in reports:
        own = next((index for index, (_, recipient) in enumerate(places) if recipient == report.recipient), None)
        if own is not None:
            end = places[own + 1][0] if own + 1 < len(places) else len(text)
            report.prose = text[places[own][0] : end]
    return reports


def _only_address(text: str) -> str:
    match = ADDRESS.search(text)
    return match[0] if match else ""
