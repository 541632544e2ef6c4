"""A mail that is to leave, and what is said of it to a server that has these extensions. Pure."""

import re
from dataclasses import dataclass
from typing import Final

# What RFC 3461 4 lets stand in an xtext as it is: printable ASCII but for what it means something in.
_NOT_XTEXT: Final = re.compile(r"[^!-*,-<>-~]")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail, ready. `recipient` is the envelope's, in ASCII but for its local part; lines end in CRLF.

    `envelope_id`: a server that offers reports (DSN, RFC 3461) is asked for them, and to name the mail so.
    """

    message_id: int
    attempt: int
    sender: str
    recipient: str
    mail: bytes
    envelope_id: str = ""

    @property
    def domain(self) -> str:
        return self.recipient.rpartition("@")[2]


def mail_from(mail: Outgoing, extensions: frozenset[str]) -> str:
    """MAIL FROM, with what the server wants to know beforehand."""
    parameters = f" SIZE={len(mail.mail)}" if "size" in extensions else ""
    if "8bitmime" in extensions and not mail.mail.isascii():
        parameters += " BODY=8BITMIME"
    if _asks_for_reports(mail, extensions):
        parameters += f" RET=HDRS ENVID={xtext(mail.envelope_id)}"
    if not is_ascii(mail):
        parameters += " SMTPUTF8"
    return f"MAIL FROM:<{mail.sender}>{parameters}\r\n"


def rcpt_to(mail: Outgoing, extensions: frozenset[str]) -> str:
    """RCPT TO (RFC 3461 4.1, 4.2). An original beyond ASCII is left out: RFC 6533 writes it otherwise."""
    reports = ""
    if _asks_for_reports(mail, extensions):
        original = f" ORCPT=rfc822;{xtext(mail.recipient)}" if mail.recipient.isascii() else ""
        reports = f" NOTIFY=SUCCESS,FAILURE,DELAY{original}"
    return f"RCPT TO:<{mail.recipient}>{reports}\r\n"


def _asks_for_reports(mail: Outgoing, extensions: frozenset[str]) -> bool:
    return bool(mail.envelope_id) and "dsn" in extensions


def xtext(text: str) -> str:
    """RFC 3461 4, of ASCII."""
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)


def is_ascii(mail: Outgoing) -> bool:
    """Whether the envelope is; the content may be anything."""
    return mail.sender.isascii() and mail.recipient.isascii()
