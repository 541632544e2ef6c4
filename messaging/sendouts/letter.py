"""An email rendered and MIME-encoded once; per recipient only the places that differ are filled in.

Both bodies are UTF-8 in quoted-printable (RFC 2045 6.7): a value can be put in by itself between two soft line breaks,
whatever its length, and every line stays within 76 characters. tests/messaging/sendouts/test_letter.py proves that each
mail parses back to exactly what rendering it singly gives.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.quoprimime import body_encode
from email.utils import format_datetime, formataddr
from functools import lru_cache
from typing import Final

from django.utils import timezone

from messaging.sendouts.tags import Tag, Text, Values, html_quoted

CRLF: Final = b"\r\n"
SOFT_BREAK: Final = b"=\r\n"
# With the soft break's own "=", 76 (RFC 2045 6.7 (5)).
LONGEST_LINE: Final = 75
# A value of these alone stands for itself; a longer one could make the line too long.
_PLAIN: Final = re.compile(rb"[!-<>-~](?:[ -<>-~]{0,68}[!-<>-~])?")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")

Place = tuple[Tag, Callable[[str], str]]


@dataclass(frozen=True, slots=True)
class Letter:
    """The template of an email: bytes, and between each two of them a place. `subject` is apart, as headers fold."""

    headers: bytes
    subject: Text
    fixed: tuple[bytes, ...]
    places: tuple[Place, ...]
    fixed_subject: bytes | None = field(default=None)

    def mail(self, values: Values, headers: Mapping[str, str]) -> bytes:
        """The email for one recipient, lines ending in CRLF. `headers` are those of this mail alone, such as To.

        Raises ValueError where a header holds more than a header may.
        """
        subject = self.fixed_subject or header("Subject", one_line(self.subject.fill(values)))
        own = b"".join(header(name, value) for name, value in headers.items())
        parts = [self.headers, subject, own, self.fixed[0]]
        for (tag, quote), after in zip(self.places, self.fixed[1:], strict=True):
            parts += (encoded(quote(tag.value(values))), after)
        return b"".join(parts)


def letter_of(*, subject: Text, text: Text, html: Text | None, headers: Mapping[str, str], boundary: str) -> Letter:
    """Encode all that is the same for everybody. `boundary` must be in neither body: a long random one.

    `headers` are those that all mails share, such as From. Without `html` the mail has one part.
    """
    fixed, places = [b""], list[Place]()

    def add(data: bytes) -> None:
        fixed[-1] += data

    def body(kind: str, said: Text, quote: Callable[[str], str]) -> None:
        add(f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode())
        for piece in said.pieces:
            if isinstance(piece, str):
                add(encoded(_with_crlf(piece)))
            else:
                # Whatever the value is, it has a line to itself.
                add(SOFT_BREAK)
                places.append((piece, quote))
                fixed.append(SOFT_BREAK)

    add(b"MIME-Version: 1.0\r\n")
    if html is None:
        body("plain", text, one_line)
        if not fixed[-1].endswith(CRLF) or fixed[-1].endswith(SOFT_BREAK):
            add(CRLF)  # a mail ends where a line ends
    else:
        add(f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'.encode())
        for kind, said, quote in (("plain", text, one_line), ("html", html, html_value)):
            add(f"--{boundary}\r\n".encode())
            body(kind, said, quote)
            add(CRLF)
        add(f"--{boundary}--\r\n".encode())
    shared = b"".join(header(name, value) for name, value in headers.items())
    same_subject = None if subject.tags else header("Subject", one_line(subject.fill({})))
    return Letter(shared, subject, tuple(fixed), tuple(places), same_subject)


def one_line(value: str) -> str:
    """A value is never more than a line, nor does it steer anything."""
    return _CONTROLS.sub(" ", value)


def html_value(value: str) -> str:
    return html_quoted(one_line(value))


def encoded(text: str) -> bytes:
    """Quoted-printable, begun at the start of a line; the last line has room for a soft break."""
    data = text.encode("utf-8", "replace")
    if _PLAIN.fullmatch(data):
        return data
    return body_encode(data.decode("latin-1"), LONGEST_LINE, "\r\n").encode("ascii")


def _with_crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def header(name: str, value: str) -> bytes:
    """One header (RFC 5322 2.2), folded, in encoded words where it is not ASCII (RFC 2047).

    Raises ValueError where the value has a line break: it would begin a header of somebody else's.
    """
    if "\n" in value or "\r" in value:
        raise ValueError(f"A line break in the header {name}.")
    if value.isascii() and len(name) + 2 + len(value) <= 78:
        return f"{name}: {value}\r\n".encode("ascii")
    return _folded(name, value)


@lru_cache(maxsize=1000)
def _folded(name: str, value: str) -> bytes:
    charset = "us-ascii" if value.isascii() else "utf-8"
    said = Header(value.encode("utf-8", "replace").decode(), charset, header_name=name, maxlinelen=76)
    return f"{name}: {said.encode(linesep=chr(13) + chr(10))}\r\n".encode("ascii")


def mailbox(name: str, address: str) -> str:
    """An address as From and To write it; a name beyond ASCII in encoded words."""
    return formataddr((one_line(name).strip(), address))


def date() -> str:
    return format_datetime(timezone.now())


def lengths(mail: bytes) -> Iterable[int]:
    """Of its lines, without their ends."""
    return map(len, mail.split(CRLF))


def used_names(texts: Sequence[Text]) -> frozenset[str]:
    """The names of all values that these texts ask for: what must be read of each contact."""
    return frozenset(tag.name for text in texts for tag in text.tags)
