"""A connection that does not block, and the dialogue on it."""

import ssl
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic
from typing import Final

from messaging.delivery.transports.smtp_commands import Outgoing
from messaging.delivery.transports.smtp_dialogue import Lost, Reply, SmtpDialogue
from messaging.delivery.transports.smtp_opening import OpenConnection

# How long a server may take over an answer, seconds. RFC 5321 4.5.3.2 wants minutes for all of them; but a slice waits
# for its last answer, and Pause for the slice. The verdict about a mail is waited for longest: without it, the mail is
# in doubt.
ANSWER_SECONDS: Final = 40
VERDICT_SECONDS: Final = 120
WAITING: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_READ: Final = 65536


class Wire:
    """One connection to `host`. It notes how many mails it has carried, and until when the server must have spoken."""

    def __init__(self, host: str, opened: OpenConnection, *, is_proven: bool = False) -> None:
        """`is_proven`: the server has shown by its certificate that it is `host`."""
        self.host, self.is_proven = host, is_proven
        self.sock = opened.sock
        self.dialogue = SmtpDialogue(opened.extensions)
        self.carried = 0
        self.until = 0.0
        # What the selector was told to look for.
        self.watched = 0

    @property
    def place(self) -> tuple[str, bool]:
        """The server that it leads to, and whether that was proved: for mails of the same it may be used again."""
        return self.host, self.is_proven

    @property
    def wanted(self) -> int:
        return EVENT_READ | EVENT_WRITE if self.dialogue.unwritten else EVENT_READ

    def write(self) -> None:
        """As much as goes."""
        dialogue = self.dialogue
        try:
            while dialogue.unwritten:
                dialogue.wrote(self.sock.send(dialogue.unwritten))
        except WAITING:
            pass
        except OSError as error:
            if isinstance(self.sock, ssl.SSLSocket):
                # How much of it went out, the library does not say.
                dialogue.wrote(len(dialogue.unwritten))
            dialogue.fault = dialogue.fault or str(error) or type(error).__name__
        self._wait()

    def read(self) -> list[tuple[Outgoing, Reply]]:
        """The last words about mails that have come."""
        done, dialogue = list[tuple[Outgoing, Reply]](), self.dialogue
        try:
            while not dialogue.fault:
                data = self.sock.recv(_READ)
                if not data:
                    dialogue.fault = "the server closed the connection"
                    break
                done += dialogue.hear(data)
                if not isinstance(self.sock, ssl.SSLSocket):
                    break  # the selector tells of more; what TLS has decrypted, it does not see
        except WAITING:
            pass
        except OSError as error:
            dialogue.fault = dialogue.fault or str(error) or type(error).__name__
        self.carried += len(done)
        self._wait()
        return done

    def lost(self) -> tuple[list[tuple[Outgoing, Reply]], list[Lost]]:
        """Close it, and say what becomes of the mails that it had in hand."""
        self.sock.close()
        return self.dialogue.lost()

    def say_bye(self) -> None:
        """Without waiting for the answer."""
        with suppress(OSError):
            self.sock.send(b"QUIT\r\n")

    def _wait(self) -> None:
        self.until = monotonic() + (VERDICT_SECONDS if self.dialogue.waits_for_verdict else ANSWER_SECONDS)


def closed_politely(wires: list[Wire], seconds: float = 1.0) -> None:
    """Say QUIT to all, and hear them out for so long (RFC 5321 4.1.1.10)."""
    for wire in wires:
        wire.say_bye()
    until = monotonic() + seconds
    for wire in wires:
        with suppress(OSError):
            wire.sock.settimeout(max(0.01, until - monotonic()))
            while wire.sock.recv(_READ):
                pass
        with suppress(OSError):
            wire.sock.close()
