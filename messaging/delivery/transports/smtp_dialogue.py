"""What is said to a mail server about mail after mail, and whose each of its answers is. No socket, no clock.

With PIPELINING (RFC 2920) the envelope of a mail is one write, and goes along with the end of the mail before it: a
round trip a mail instead of four. The server answers in order, so the oldest question gets the next answer.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from messaging.delivery.transports.smtp_commands import Outgoing, is_ascii, mail_from, rcpt_to

# What would end the address within a command, or begin another command.
_UNSAYABLE: Final = re.compile(r"[\x00-\x20\x7f<>]")
# No server has so much to say; who goes on does it to exhaust us.
LONGEST_REPLY: Final = 64 * 1024
CLOSING: Final = 421


class Reply(NamedTuple):
    """`code` 553 also where the server need not be asked."""

    code: int
    text: str


class AboutSender(Reply):
    """An answer to MAIL FROM: nobody had been named yet."""


class Lost(NamedTuple):
    """What becomes of a mail whose connection broke: in doubt, or certainly not taken."""

    mail: Outgoing
    is_outcome_unknown: bool


class _Step(Enum):
    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    END = auto()


@dataclass(slots=True, eq=False)
class _Talk:
    """About one mail. `refusal` is the first answer that is no yes; `end_at` the place of its end in all we write."""

    mail: Outgoing
    refusal: Reply | None = None
    end_at: int | None = None


class SmtpDialogue:
    """One connection's, after its EHLO. Whoever holds the socket writes `unwritten` and says how much of it went out.

    `extensions` are the server's, in lower case.
    """

    def __init__(self, extensions: frozenset[str]) -> None:
        self._extensions = extensions
        self._is_pipelining = "pipelining" in extensions
        self.unwritten = b""
        # After this many bytes of all that is written ...
        self._written = self._sent = 0
        self._to_say = deque[tuple[_Step, _Talk]]()
        self._unanswered = deque[tuple[_Step, _Talk]]()
        self._envelope: _Talk | None = None
        self._needs_reset = False
        self._unread = b""
        self._lines: list[bytes] = []
        # Why nothing more can be said here; empty while it can.
        self.fault = ""

    @property
    def has_room(self) -> bool:
        """For one more mail."""
        return self._envelope is None and not self.fault and (self._is_pipelining or not self._unanswered)

    @property
    def is_idle(self) -> bool:
        return not (self._unanswered or self._to_say)

    @property
    def waits_for_verdict(self) -> bool:
        """Whether the next answer says if a mail was taken; servers take their time for that (RFC 5321 4.5.3.2.6)."""
        return bool(self._unanswered) and self._unanswered[0][0] is _Step.END

    def why_not(self, mail: Outgoing) -> Reply | None:
        """An answer of ours, where the server could not take such an address."""
        if _UNSAYABLE.search(mail.sender) or _UNSAYABLE.search(mail.recipient):
            return Reply(553, "553 5.1.3 The address cannot be said in SMTP")
        if not is_ascii(mail) and "smtputf8" not in self._extensions:
            return Reply(553, "553 5.6.7 The server does not take addresses beyond ASCII (SMTPUTF8, RFC 6531)")
        return None

    def take(self, mail: Outgoing) -> None:
        """Begin with a mail, for which there must be room."""
        talk = self._envelope = _Talk(mail)
        if self._needs_reset:
            self._to_say.append((_Step.RSET, talk))
            self._needs_reset = False
        self._to_say += ((_Step.MAIL, talk), (_Step.RCPT, talk), (_Step.DATA, talk))
        self._say()

    def wrote(self, size: int) -> None:
        """So many bytes of `unwritten` are on their way."""
        self._sent += size
        self.unwritten = self.unwritten[size:]

    def hear(self, data: bytes) -> list[tuple[Outgoing, Reply]]:
        """What the server says; comes to the last words about mails. After `fault` is set, no more is to be heard."""
        done = []
        for code, text in self._replies(data):
            if code == CLOSING:
                self.fault = _reply(code, text).text
            if not self._unanswered:
                self.fault = self.fault or f"an answer to nothing: {_reply(code, text).text[:200]}"
                break
            step, talk = self._unanswered.popleft()
            if self._is_over(step, talk, code, text):
                done.append((talk.mail, talk.refusal or _reply(code, text)))
        if self._to_say:
            self._say()
        return done

    def lost(self) -> tuple[list[tuple[Outgoing, Reply]], list[Lost]]:
        """The connection is no more: mails that were refused before, and what the server cannot or may have taken.

        RFC 5321 4.5.4.1, 6.1: one whose end has gone out may have been taken. To send it again could be once too often.
        """
        refused, lost = [], []
        for talk in dict.fromkeys(talk for _step, talk in (*self._unanswered, *self._to_say)):
            if talk.refusal is not None:
                refused.append((talk.mail, talk.refusal))
            else:
                lost.append(Lost(talk.mail, talk.end_at is not None and talk.end_at <= self._sent))
        self._unanswered.clear()
        self._to_say.clear()
        self._envelope = None
        return refused, lost

    def _is_over(self, step: _Step, talk: _Talk, code: int, text: bytes) -> bool:
        """Whether that was the last word about the mail."""
        if step is _Step.END:
            return True
        if step is _Step.DATA:
            self._envelope = None
            if code == 354:
                self._end(talk)
                return False
            talk.refusal = talk.refusal or _reply(code, text)
            self._needs_reset = True
            return True
        if step is not _Step.RSET and code not in (250, 251):
            talk.refusal = talk.refusal or (AboutSender if step is _Step.MAIL else Reply)(*_reply(code, text))
            return self._is_given_up(talk)
        return False

    def _is_given_up(self, talk: _Talk) -> bool:
        """After a refusal: what is not asked yet need not be; what is will be answered."""
        self._to_say = deque(each for each in self._to_say if each[1] is not talk)
        if any(other is talk for _step, other in self._unanswered):
            return False
        self._envelope, self._needs_reset = None, True
        return True

    def _end(self, talk: _Talk) -> None:
        """The mail, with its end; of one whose recipient was refused the end alone (RFC 2920 3.1)."""
        mail = b"" if talk.refusal else talk.mail.mail
        if mail and not mail.endswith(b"\r\n"):
            mail += b"\r\n"
        # RFC 5321 4.5.2. To look first is quicker, as our mails have no such line (letter.py).
        dotted = mail.replace(b"\n.", b"\n..") if b"\n." in mail else mail
        self._write(b"." + dotted + b".\r\n" if mail.startswith(b".") else dotted + b".\r\n")
        talk.end_at = self._written
        self._unanswered.append((_Step.END, talk))

    def _say(self) -> None:
        commands = ""
        while self._to_say and (self._is_pipelining or not (self._unanswered or commands)):
            step, talk = self._to_say.popleft()
            commands += self._command(step, talk.mail)
            self._unanswered.append((step, talk))
        if commands:
            self._write(commands.encode())

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self.unwritten += data

    def _command(self, step: _Step, mail: Outgoing) -> str:
        if step is _Step.MAIL:
            return mail_from(mail, self._extensions)
        if step is _Step.RCPT:
            return rcpt_to(mail, self._extensions)
        return "DATA\r\n" if step is _Step.DATA else "RSET\r\n"

    def _replies(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The replies that are whole (RFC 5321 4.2), each with its lines but for the codes."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        if len(self._unread) + sum(map(len, self._lines)) > LONGEST_REPLY:
            self.fault = "an answer without end"
        for line in lines:
            code, sign = line[:3], line[3:4]
            if sign == b"-" and code.isdigit():
                self._lines.append(line[4:].strip())
            elif len(code) == 3 and code.isdigit() and (sign.isspace() or not sign):
                text = line[4:]
                if self._lines:
                    text = b"\n".join((*self._lines, text))
                    self._lines.clear()
                yield int(code), text
            else:
                self.fault = f"no answer of SMTP: {line[:200].decode('utf-8', 'replace')}"
                return


def _reply(code: int, text: bytes) -> Reply:
    return Reply(code, f"{code} {text.strip().decode('utf-8', 'replace')}")
