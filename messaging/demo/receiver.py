"""The try-out receiver of `make run`: a mail server that stands in for everybody's, so that a send-out meets all fates.

What stands before the @ says what becomes of a mail (answers.toml, and AFTERWARDS here); all other mail arrives. Some
time after it took a mail it does what servers and people do: sends a bounce or a complaint to the return path, loads
the pixel, follows a link, unsubscribes. It listens on loopback alone, and keeps nothing.
"""

import asyncio
import logging
import re
import smtplib
import tomllib
from collections.abc import Callable, Coroutine
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session
from django.utils import timezone

from messaging.incoming.listeners import Listener

log: Final = logging.getLogger(__name__)

ANSWERS: Final = tomllib.loads(Path(__file__).with_name("answers.toml").read_text(encoding="utf-8"))
# How long after it took a mail something follows, seconds.
SOON: Final = 4.0
BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
APPLE: Final = "Mozilla/5.0"
# Past the time within which only a program opens or clicks (messaging/machines.py).
READING_SECONDS: Final = 12.0
_URL: Final = re.compile(r"https?://[^\s\"'<>]+")
_PIXEL: Final = re.compile(r"/o/[^/]+\.gif$")
_LINK: Final = re.compile(r"/c/[^/]+/\d+/$")


class Receiver:
    """What aiosmtpd calls, by name."""

    def __init__(self, home: Listener) -> None:
        """`home`: where bounces go, our own bounce server."""
        self._home = home
        self._deferred: set[str] = set()
        self._later: set[asyncio.Task[None]] = set()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = self._refusal(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        for address in envelope.rcpt_tos:
            follow = AFTERWARDS.get(words_of(address)[0])
            if follow is not None:
                task = asyncio.create_task(self._follow(follow, address, envelope))
                self._later.add(task)
                task.add_done_callback(self._later.discard)
        return "250 2.0.0 Taken"

    def _refusal(self, address: str) -> str:
        first, second = words_of(address)
        if first == "bounce":
            return str(ANSWERS["refused"].get(second, ANSWERS["refused"]["user-unknown"]))
        if first == "defer" and second == "once":
            is_first = address not in self._deferred
            self._deferred.add(address)
            return str(ANSWERS["alone"]["defer"]) if is_first else ""
        return str(ANSWERS["alone"].get(first, ""))

    async def _follow(self, follow: "Afterwards", address: str, envelope: Envelope) -> None:
        try:
            await follow(self._home, address, envelope)
        except (OSError, smtplib.SMTPException, HTTPException, ValueError) as error:
            log.warning("Nothing followed: %s", type(error).__name__)


Afterwards = Callable[[Listener, str, Envelope], Coroutine[Any, Any, None]]


def words_of(address: str) -> tuple[str, str]:
    """`bounce+full@example.org` -> bounce, full. Digits at the end tell several of a kind apart: full2@…"""
    first, _, second = address.rpartition("@")[0].lower().partition("+")
    return first.rstrip("0123456789"), second


async def late_bounce(home: Listener, address: str, envelope: Envelope) -> None:
    """It was taken, and then it could not be delivered after all (RFC 3464)."""
    await asyncio.sleep(SOON)
    said = f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"
    fields = (
        f"Reporting-MTA: dns; mx.{address.rpartition('@')[2]}\r\n\r\nFinal-Recipient: rfc822; {address}\r\n"
        f"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; {said}\r\n"
    )
    await _report(home, envelope, "delivery-status", f"Your message to {address} could not be delivered.", fields)


async def complaint(home: Listener, address: str, envelope: Envelope) -> None:
    """Somebody pressed "spam" (RFC 5965)."""
    await asyncio.sleep(SOON)
    fields = (
        "Feedback-Type: abuse\r\nUser-Agent: Engage-Try-Out/1.0\r\nVersion: 1\r\n"
        f"Original-Rcpt-To: {address}\r\nArrival-Date: {format_datetime(timezone.now())}\r\n"
    )
    await _report(home, envelope, "feedback-report", "This is an email abuse report.", fields)


async def vacation(home: Listener, address: str, envelope: Envelope) -> None:
    """An automatic reply (RFC 3834), which is no bounce."""
    await asyncio.sleep(SOON)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = address, envelope.mail_from, "Out of office"
    mail["Auto-Submitted"] = "auto-replied"
    mail["In-Reply-To"] = _header(envelope, "Message-ID")
    mail.set_content("I am away until Monday.")
    await _send_home(home, envelope, mail.as_bytes(policy=policy.SMTP))


async def opened(_home: Listener, _address: str, envelope: Envelope) -> None:
    await asyncio.sleep(READING_SECONDS)
    await _visit(_found(envelope, _PIXEL), BROWSER)


async def opened_by_apple(_home: Listener, _address: str, envelope: Envelope) -> None:
    await asyncio.sleep(SOON)
    await _visit(_found(envelope, _PIXEL), APPLE)


async def clicked(_home: Listener, _address: str, envelope: Envelope) -> None:
    await asyncio.sleep(READING_SECONDS)
    await _visit(_found(envelope, _PIXEL), BROWSER)
    await _visit(_found(envelope, _LINK), BROWSER)


async def unsubscribed(_home: Listener, _address: str, envelope: Envelope) -> None:
    """With the mail program's own button (RFC 8058)."""
    await asyncio.sleep(READING_SECONDS)
    await _visit(_header(envelope, "List-Unsubscribe").strip("<>"), BROWSER, b"List-Unsubscribe=One-Click")


AFTERWARDS: Final[dict[str, Afterwards]] = {
    "late-dsn": late_bounce,
    "complaint": complaint,
    "vacation": vacation,
    "open": opened,
    "apple": opened_by_apple,
    "click": clicked,
    "unsubscribe": unsubscribed,
}


async def _report(home: Listener, envelope: Envelope, kind: str, words: str, fields: str) -> None:
    """A multipart/report (RFC 6522), with the headers of the mail that it is about."""
    headers = (envelope.original_content or b"").partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    parts = (
        ("text/plain; charset=us-ascii", f"{words}\r\n"),
        (f"message/{kind}", fields),
        ("text/rfc822-headers", f"{headers}\r\n"),
    )
    body = "".join(f"--engage-try-out\r\nContent-Type: {of}\r\n\r\n{text}\r\n" for of, text in parts)
    head = (
        f"From: Mail Delivery System <mailer-daemon@{(envelope.rcpt_tos or ['x@localhost'])[0].rpartition('@')[2]}>\r\n"
        f"To: {envelope.mail_from}\r\nSubject: Delivery report\r\nDate: {format_datetime(timezone.now())}\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="engage-try-out"\r\n\r\n'
    )
    await _send_home(home, envelope, f"{head}{body}--engage-try-out--\r\n".encode("utf-8", "replace"))


async def _send_home(home: Listener, envelope: Envelope, mail: bytes) -> None:
    await asyncio.to_thread(_deliver, home, str(envelope.mail_from), mail)


def _deliver(home: Listener, to: str, mail: bytes) -> None:
    with smtplib.SMTP(home.host, home.port, "tryout.localhost", timeout=10) as server:
        server.sendmail("", [to], mail)


async def _visit(url: str, agent: str, body: bytes | None = None) -> None:
    """Without following where a link leads: out there it is somebody else's."""
    if url:
        await asyncio.to_thread(_fetch, url, agent, body)


def _fetch(url: str, agent: str, body: bytes | None) -> None:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    connection.request("POST" if body else "GET", parts.path, body, {"User-Agent": agent, **form})
    connection.getresponse().read()
    connection.close()


def _found(envelope: Envelope, wanted: re.Pattern[str]) -> str:
    mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
    part = mail.get_body(("html",))
    urls = _URL.findall(part.get_content()) if part is not None else []
    return next((url for url in urls if wanted.search(url)), "")


def _header(envelope: Envelope, name: str) -> str:
    return str(message_from_bytes(envelope.original_content or b"", policy=policy.default)[name] or "")
