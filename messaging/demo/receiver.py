"""The try-out receiver of `make run`: a mail server that stands in for everybody's, so that a send-out meets all fates.

What stands before the @ says what becomes of a mail (answers.toml, and AFTERWARDS here); mail to the demo's people has
the fate that the story tells (living.py); all other mail arrives. Some time after it took a mail it does what servers
and people do: sends a bounce or a complaint to the return path, loads the pixel, follows a link, unsubscribes. It
listens on loopback alone, and keeps nothing.
"""

import asyncio
import logging
import re
import smtplib
import tomllib
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session
from django.utils import timezone

from messaging.demo import living
from messaging.demo.living import Calendar
from messaging.demo.script import Fate
from messaging.incoming import addresses
from messaging.incoming.listeners import Listener

log: Final = logging.getLogger(__name__)

ANSWERS: Final = tomllib.loads(Path(__file__).with_name("answers.toml").read_text(encoding="utf-8"))
# How long after it took a mail something follows, seconds.
SOON: Final = 4.0
TAKEN: Final = "250 2.0.0 Taken"
BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
APPLE: Final = "Mozilla/5.0"
# Past the time within which only a program opens or clicks (messaging/tracking/bots.py).
READING_SECONDS: Final = 12.0
_URL: Final = re.compile(r"https?://[^\s\"'<>]+")
_PIXEL: Final = re.compile(r"/o/[^/]+\.gif$")
_LINK: Final = re.compile(r"/c/[^/]+/\d+/$")
_STATUS_CODE: Final = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
USER_UNKNOWN: Final = "550 5.1.1 <{email}>: Recipient address rejected: User unknown in virtual mailbox table"
# For an answer of plots.toml: hang up after the mail, before it is answered.
DROP: Final = "drop"


class Receiver:
    """What aiosmtpd calls, by name."""

    def __init__(self, home: Listener, calendar: Calendar) -> None:
        """`home`: where bounces go, our own bounce server. `calendar`: the time of the story's people."""
        self._home, self._calendar = home, calendar
        self._deferred: set[str] = set()
        # By return path, which is a mail's own.
        self._attempts = Counter[str]()
        self._later: set[asyncio.Task[None]] = set()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = self._refusal(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        (address,) = envelope.rcpt_tos[:1]
        fate = living.of_email(address, _header(envelope, "Subject"))
        if fate is not None:
            return self._live(server, envelope, address, fate)
        follow = AFTERWARDS.get(words_of(address)[0])
        if follow is not None:
            self._have(self._follow(follow, address, envelope))
        return TAKEN

    def _refusal(self, address: str) -> str:
        first, second = words_of(address)
        if first == "bounce":
            return str(ANSWERS["refused"].get(second, ANSWERS["refused"]["user-unknown"]))
        if first == "defer" and second == "once":
            is_first = address not in self._deferred
            self._deferred.add(address)
            return str(ANSWERS["alone"]["defer"]) if is_first else ""
        return str(ANSWERS["alone"].get(first, ""))

    def _live(self, server: SMTP, envelope: Envelope, address: str, fate: Fate) -> str:
        """As the story tells. It goes by the subject, so this server says no only when it has seen the mail."""
        mail_from = str(envelope.mail_from)
        self._attempts[mail_from] += 1
        answer = fate.plot.answer(self._attempts[mail_from]) or TAKEN
        if answer == DROP and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        elif answer.startswith("2") and fate.plot.deeds:
            self._have(self._do(fate, address, envelope))
        return filled(answer, address)

    async def _follow(self, follow: "Afterwards", address: str, envelope: Envelope) -> None:
        await asyncio.sleep(follow.seconds)
        for act in follow.acts:
            await self._act(act, address, envelope)

    async def _do(self, fate: Fate, address: str, envelope: Envelope) -> None:
        message_id = addresses.message_of(str(envelope.mail_from))
        for deed in fate.plot.deeds:
            if message_id is not None:
                await self._calendar.until(message_id, fate.due(deed.after))
                await self._act(ACTS[deed.what], address, envelope, filled(deed.words, address))

    async def _act(self, act: "Act", address: str, envelope: Envelope, words: str = "") -> None:
        try:
            await act(self._home, address, envelope, words)
        except (OSError, smtplib.SMTPException, HTTPException, ValueError) as error:
            log.warning("Nothing followed: %s", type(error).__name__)

    def _have(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


# What somebody does with a mail. The last argument: what a bounce says.
Act = Callable[[Listener, str, Envelope, str], Coroutine[Any, Any, None]]


class Afterwards(NamedTuple):
    """What follows so many seconds after a mail was taken."""

    seconds: float
    acts: tuple[Act, ...]


def filled(words: str, address: str) -> str:
    return words.replace("{email}", address).replace("{domain}", address.rpartition("@")[2])


def words_of(address: str) -> tuple[str, str]:
    """`bounce+full@example.org` -> bounce, full. Digits at the end tell several of a kind apart: full2@…"""
    first, _, second = address.rpartition("@")[0].lower().partition("+")
    return first.rstrip("0123456789"), second


async def bounced(home: Listener, address: str, envelope: Envelope, words: str) -> None:
    """It was taken, and then it could not be delivered after all (RFC 3464)."""
    said = words or filled(USER_UNKNOWN, address)
    code = _STATUS_CODE.search(said)
    fields = (
        f"Reporting-MTA: dns; mx.{address.rpartition('@')[2]}\r\n\r\nFinal-Recipient: rfc822; {address}\r\n"
        f"Action: failed\r\nStatus: {code[0] if code else '5.0.0'}\r\nDiagnostic-Code: smtp; {said}\r\n"
    )
    await _report(home, envelope, "delivery-status", f"Your message to {address} could not be delivered.", fields)


async def complained(home: Listener, address: str, envelope: Envelope, _words: str) -> None:
    """Somebody pressed "spam" (RFC 5965)."""
    fields = (
        "Feedback-Type: abuse\r\nUser-Agent: Engage-Try-Out/1.0\r\nVersion: 1\r\n"
        f"Original-Rcpt-To: {address}\r\nArrival-Date: {format_datetime(timezone.now())}\r\n"
    )
    await _report(home, envelope, "feedback-report", "This is an email abuse report.", fields)


async def is_away(home: Listener, address: str, envelope: Envelope, _words: str) -> None:
    """An automatic reply (RFC 3834), which is no bounce."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = address, envelope.mail_from, "Out of office"
    mail["Auto-Submitted"] = "auto-replied"
    mail["In-Reply-To"] = _header(envelope, "Message-ID")
    mail.set_content("I am away until Monday.")
    await _send_home(home, envelope, mail.as_bytes(policy=policy.SMTP))


async def opened(_home: Listener, _address: str, envelope: Envelope, _words: str) -> None:
    await _visit(_found(envelope, _PIXEL), BROWSER)


async def opened_by_apple(_home: Listener, _address: str, envelope: Envelope, _words: str) -> None:
    await _visit(_found(envelope, _PIXEL), APPLE)


async def clicked(_home: Listener, _address: str, envelope: Envelope, _words: str) -> None:
    await _visit(_found(envelope, _LINK), BROWSER)


async def unsubscribed(_home: Listener, _address: str, envelope: Envelope, _words: str) -> None:
    """With the mail program's own button (RFC 8058)."""
    await _visit(_header(envelope, "List-Unsubscribe").strip("<>"), BROWSER, b"List-Unsubscribe=One-Click")


AFTERWARDS: Final[Mapping[str, Afterwards]] = {
    "late-dsn": Afterwards(SOON, (bounced,)),
    "complaint": Afterwards(SOON, (complained,)),
    "vacation": Afterwards(SOON, (is_away,)),
    "apple": Afterwards(SOON, (opened_by_apple,)),
    "open": Afterwards(READING_SECONDS, (opened,)),
    "click": Afterwards(READING_SECONDS, (opened, clicked)),
    "unsubscribe": Afterwards(READING_SECONDS, (unsubscribed,)),
}
# By the words of plots.toml.
ACTS: Final[Mapping[str, Act]] = {
    "open": opened,
    "apple": opened_by_apple,
    "click": clicked,
    "unsubscribe": unsubscribed,
    "complaint": complained,
    "bounce": bounced,
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
