"""An email rendered and MIME-encoded once; per recipient only the places that differ are filled in.

Both bodies are UTF-8 in quoted-printable (RFC 2045 6.7): a value can be put in by itself between two soft line breaks,
whatever its length, and every line stays within 76 characters. tests/messaging/sendouts/test_letter.py proves that each
mail parses back to exactly what rendering it singly gives.
"""

import re
import string
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.header import Header
from email.quoprimime import body_encode
from email.utils import format_datetime, formataddr
from functools import lru_cache
from hashlib import sha256
from typing import Final

from django.utils import timezone

from messaging.sendouts.dkim import Key, relaxed_header, relaxed_lines, signed, without_empty_end
from messaging.sendouts.tags import Quote, Tag, Text, Values, html_quoted

CRLF: Final = b"\r\n"
SOFT_BREAK: Final = b"=\r\n"
# With the soft break's own "=" and two for a dot, 76 (RFC 2045 6.7 (5)).
LONGEST_LINE: Final = 73
# No line begins with a dot, which SMTP would have to double (RFC 5321 4.5.2): some servers never take that back, and
# to look for nothing is quicker (dialogue.py).
_DOT: Final = re.compile(rb"^\.", re.MULTILINE)
# A value of these alone stands for itself; a longer one could make the line too long.
_PLAIN: Final = re.compile(rb"[!-\-/-<>-~](?:[ -<>-~]{0,68}[!-<>-~])?")
# Such a value needs no quoting, in whatever it stands.
_EASY: Final = re.compile(r"(?:[0-9A-Za-z@_:/+-][0-9A-Za-z.@_:/+-]{0,69})?")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
# RFC 2047 2: of a line of a header that has encoded words.
LONGEST_HEADER_LINE: Final = 76
# Where a header may be folded: no line is of blanks alone.
_BLANK: Final = re.compile(r"(?<=[^ ]) (?=[^ ])")
# Of an encoded word, without "=?utf-8?q?" and "?=": such a word has 75 characters at most (RFC 2047 2), and fits on the
# first line of a header, after its name.
ROOM_IN_WORD: Final = 52
# What stands for itself in Q within a phrase (RFC 2047 5 (3)).
_Q_PLAIN: Final = {sign: sign for sign in string.ascii_letters + string.digits + "!*+-/"} | {" ": "_"}

# What is filled in, and the ways in which it is quoted: each is one place.
Places = tuple[Tag, tuple[Quote, ...]]


@dataclass(frozen=True, slots=True)
class Shape:
    """A body: bytes that are the same for everybody, and between each two of them a place."""

    fixed: tuple[bytes, ...]
    # Of each place, its number in what is filled in.
    order: tuple[int, ...]

    def filled(self, values: Sequence[bytes]) -> list[bytes]:
        """In pieces, to be joined."""
        parts = [b""] * (2 * len(self.fixed) - 1)
        parts[::2] = self.fixed
        parts[1::2] = [values[number] for number in self.order]
        return parts


@dataclass(frozen=True, slots=True)
class Letter:
    """The template of an email. `subject` is apart, as headers fold."""

    # In the order in which they are signed, and as they are signed.
    names: tuple[str, ...]
    headers: bytes
    canonical_headers: bytes
    subject: Text
    fixed_subject: bytes | None
    # How the body is encoded: after all other headers.
    mime: bytes
    body: Shape
    canonical_body: Shape
    places: tuple[Places, ...]

    def mail(self, values: Values, headers: Mapping[str, str], keys: Sequence[Key] = (), at: int = 0) -> bytes:
        """The email for one recipient, lines ending in CRLF. `headers` are those of this mail alone, such as To.

        `keys` sign it as of `at`, seconds since 1970. Raises ValueError where a header holds more than a header may.
        """
        subject = self.fixed_subject or header("Subject", one_line(self.subject.fill(values)))
        own = [subject, *(header(name, value) for name, value in headers.items())]
        filled = [each for tag, quotes in self.places for each in _filled(tag, values, quotes)]
        parts = [self.headers, *own, self.mime, *self.body.filled(filled)]
        if keys:
            parts.insert(0, self._signed(keys, headers, own, filled, at))
        return b"".join(parts)

    def _signed(
        self, keys: Sequence[Key], headers: Mapping[str, str], own: list[bytes], filled: list[bytes], at: int
    ) -> bytes:
        canonical = self.canonical_headers + b"".join(map(relaxed_header, own))
        body = b"".join(self.canonical_body.filled([relaxed_lines(value) for value in filled]))
        return signed(keys, [*self.names, "Subject", *headers], canonical, sha256(body).digest(), at)


def letter_of(*, subject: Text, text: Text, html: Text | None, headers: Mapping[str, str], boundary: str) -> Letter:
    """Encode all that is the same for everybody. `boundary` must be in neither body: a long random one.

    `headers` are those that all mails share, such as From. Without `html` the mail has one part.
    """
    fixed, places = [b""], list[tuple[Tag, Quote]]()

    def add(data: bytes) -> None:
        fixed[-1] += data

    def body(said: Text, quote: Quote) -> None:
        for piece in said.pieces:
            if isinstance(piece, str):
                add(encoded(_with_crlf(piece)))
            else:
                # Whatever the value is, it has a line to itself.
                add(SOFT_BREAK)
                places.append((piece, piece.quote or quote))
                fixed.append(SOFT_BREAK)

    if html is None:
        mime = {"MIME-Version": "1.0", **_kind("plain")}
        body(text, one_line)
        if not fixed[-1].endswith(CRLF) or fixed[-1].endswith(SOFT_BREAK):
            add(CRLF)  # a mail ends where a line ends
    else:
        mime = {"MIME-Version": "1.0", "Content-Type": f'multipart/alternative; boundary="{boundary}"'}
        for kind, said, quote in (("plain", text, one_line), ("html", html, html_value)):
            add(f"--{boundary}\r\n".encode() + _block(_kind(kind)) + CRLF)
            body(said, quote)
            add(CRLF)
        add(f"--{boundary}--\r\n".encode())
    # A value is looked at once, and quoted once in each way.
    ways = {tag: tuple(dict.fromkeys(quote for other, quote in places if other == tag)) for tag, _quote in places}
    once = [(tag, quote) for tag, quotes in ways.items() for quote in quotes]
    order = tuple(map(once.index, places))
    shared = [header(name, value) for name, value in {**headers, **mime}.items()]
    return Letter(
        names=(*headers, *mime),
        headers=_block(headers),
        canonical_headers=b"".join(map(relaxed_header, shared)),
        subject=subject,
        fixed_subject=None if subject.tags else header("Subject", one_line(subject.fill({}))),
        mime=_block(mime) + CRLF,
        body=Shape(tuple(fixed), order),
        canonical_body=Shape(_canonical(fixed), order),
        places=tuple(ways.items()),
    )


def _kind(kind: str) -> Mapping[str, str]:
    return {"Content-Type": f"text/{kind}; charset=utf-8", "Content-Transfer-Encoding": "quoted-printable"}


def _block(headers: Mapping[str, str]) -> bytes:
    return b"".join(header(name, value) for name, value in headers.items())


def _canonical(fixed: Sequence[bytes]) -> tuple[bytes, ...]:
    """Each by itself, as a place has whole lines before and after it; empty lines at the end do not count (dkim.py)."""
    lines = [relaxed_lines(each) for each in fixed]
    return (*lines[:-1], without_empty_end(lines[-1]))


def one_line(value: str) -> str:
    """A value is never more than a line, nor does it steer anything."""
    return _CONTROLS.sub(" ", value)


def html_value(value: str) -> str:
    return html_quoted(one_line(value))


def _filled(tag: Tag, values: Values, quotes: Sequence[Quote]) -> Sequence[bytes]:
    """The value, quoted in each of these ways and encoded."""
    value = tag.value(values)
    if tag.quote is None and _EASY.fullmatch(value):
        return [value.encode("ascii")] * len(quotes)
    return [_quoted(value, quote) for quote in quotes]


@lru_cache(maxsize=1000)
def _quoted(value: str, quote: Quote) -> bytes:
    """First names and the like come again and again."""
    return encoded(quote(value))


def encoded(text: str) -> bytes:
    """Quoted-printable, begun at the start of a line; the last line has room for a soft break."""
    data = text.encode("utf-8", "replace")
    if _PLAIN.fullmatch(data):
        return data
    return _DOT.sub(b"=2E", body_encode(data.decode("latin-1"), LONGEST_LINE, "\r\n").encode("ascii"))


def _with_crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def header(name: str, value: str) -> bytes:
    """One header (RFC 5322 2.2), folded, in encoded words where it is not ASCII (RFC 2047).

    Raises ValueError where the value has a line break: it would begin a header of somebody else's.
    """
    if "\n" in value or "\r" in value:
        raise ValueError(f"A line break in the header {name}.")
    if value.isascii() and len(name) + 2 + len(value) <= LONGEST_HEADER_LINE:
        return f"{name}: {value}\r\n".encode("ascii")
    return _folded(name, value)


@lru_cache(maxsize=1000)
def _folded(name: str, value: str) -> bytes:
    if not value.isascii():
        value = Header(value.encode("utf-8", "replace").decode(), "utf-8", header_name=name).encode(linesep="")
    lines = [f"{name}:"]
    for word in _BLANK.split(value):
        # The name never stands alone: what is left would look like an empty header.
        if len(lines[-1]) + 1 + len(word) > LONGEST_HEADER_LINE and len(lines[-1]) > len(name) + 1:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join([*lines, ""]).encode("ascii")


def mailbox(name: str, address: str) -> str:
    """An address as From and To write it; a name beyond ASCII in encoded words (RFC 2047 5 (3))."""
    said = one_line(name).strip()
    if said.isascii():
        return formataddr((said, address))
    return f"{' '.join(_encoded_words(said))} <{formataddr(('', address))}>"


def _encoded_words(text: str) -> Iterable[str]:
    """No character is parted, as each word must be readable by itself (RFC 2047 5)."""
    text = text.encode("utf-8", "replace").decode()
    in_q = [_Q_PLAIN.get(sign) or "".join(f"={octet:02X}" for octet in sign.encode()) for sign in text]
    if sum(map(len, in_q)) <= 4 * len(text.encode()) / 3:
        return [f"=?utf-8?q?{''.join(piece)}?=" for piece in _cut(in_q, ROOM_IN_WORD)]
    return [f"=?utf-8?b?{b64encode(''.join(piece).encode()).decode()}?=" for piece in _cut(text, ROOM_IN_WORD // 4 * 3)]


def _cut(signs: Iterable[str], room: int) -> Iterable[list[str]]:
    """In pieces of at most `room` octets."""
    piece, used = list[str](), 0
    for sign in signs:
        size = len(sign.encode())
        if used + size > room:
            yield piece
            piece, used = [], 0
        piece.append(sign)
        used += size
    yield piece


def date() -> str:
    return format_datetime(timezone.now())


def lengths(mail: bytes) -> Iterable[int]:
    """Of its lines, without their ends."""
    return map(len, mail.split(CRLF))
