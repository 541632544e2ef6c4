"""A mail as bytes -> its headers, parts and text: tolerant of whatever is broken, and lazy.

Python's own email package reads every part of every mail, raises on some, and takes most of the time of a reader of
bounces. This one splits where the boundaries are and decodes only what is asked for. It never raises, and its time
is proportional to the size of the mail: what could multiply (parts, depth, length of a text) is bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from messaging.bounces.mail import words

# A bounce has a handful of parts; a mail that is made of millions is none.
MOST_PARTS: Final = 200
DEEPEST: Final = 12
# Longer texts say nothing more about a bounce.
LONGEST_TEXT: Final = 200_000
LONGEST_LIST: Final = 5_000_000
LONGEST_HEADERS: Final = 200_000

# Carriage returns that are not half of a CRLF: some servers write CR CR LF, others CR alone.
ODD_LINE_ENDS: Final = re.compile(rb"\r+\n?")
# RFC 5322 section 2.2: a name of visible letters, a colon, and what follows on lines that begin with a blank.
FIELD: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
FIELDS: Final = re.compile(rb"(?:[!-9;-~]++[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z))*+")
ENCLOSED: Final = frozenset(
    {
        "message/rfc822",
        "message/global",
        "text/rfc822-headers",
        "message/global-headers",
        "message/rfc822-headers",
        "text/rfc822",
        "text/rfc822-header",
    }
)
MBOX_LINE: Final = re.compile(rb">?From [^\n]*+\n")
BLANK_LINES: Final = re.compile(rb"(?: ?\n)++")
PARAMETER: Final = re.compile(r';\s*([\w\-]+)(\*\d+)?(\*)?\s*=\s*("(?:[^"\\]|\\.)*+"|[^;\s]*)')
# The delimiter of a multipart whose header does not name it, or names another one.
UNNAMED_BOUNDARY: Final = re.compile(rb"\n--([^\n]{1,200}+)\n(?:[!-9;-~]+:[^\n]*\n){0,10}?[Cc]ontent-[Tt]")
# From the begin of a word only, so that a long one without an @ costs no more than its length.
ADDRESS: Final = re.compile(
    r"(?<![^\s<>()\[\]\",;:\\|@])[^\s<>()\[\]\",;:\\|@]{1,256}@[^\s<>()\[\]\",;:\\|@]*[^\s<>()\[\]\",;:\\|.@]"
)
# A mail that is printed within a text begins with lines like these.
INLINE: Final = re.compile(
    r"(?:^|\n)(?=(?:Return-Path|Received|Message-ID|From|To|Date|Subject|MIME-Version|Delivered-To|X-[\w-]+|DKIM-Signature|"
    r"Content-Type|Sender|Reply-To|DomainKey-Signature|Authentication-Results|ARC-[\w-]+)[ \t]?:)",
    re.IGNORECASE,
)
INLINE_BLOCK: Final = re.compile(r"(?:[\w\-]++[ \t]?:[^\n]*+\n?(?:[ \t][^\n]*+\n?)*+){3,}")
TRACE: Final = re.compile(
    r"^(?:Return-Path|Received|Message-ID|MIME-Version|DKIM-Signature|Content-Type)[ \t]?:",
    re.IGNORECASE | re.MULTILINE,
)


class Headers:
    """The header fields of a mail or a part, by name without regard to case."""

    __slots__ = ("_fields", "_first", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._fields: dict[str, list[bytes]] | None = None
        self._first: dict[str, str] = {}

    @property
    def fields(self) -> dict[str, list[bytes]]:
        """Lower-cased name -> the raw values in order."""
        if self._fields is None:
            fields: dict[str, list[bytes]] = {}
            self._fields = fields
            for name, value in FIELD.findall(self.raw):
                fields.setdefault(name.decode("ascii").lower(), []).append(value)
            self._fields = fields
        return self._fields

    def get(self, name: str) -> str:
        """The first field of this (lower-case) name, unfolded and decoded; empty where there is none."""
        known = self._first.get(name)
        if known is None:
            values = self.fields.get(name)
            known = self._first[name] = _unfolded(values[0]) if values else ""
        return known

    def all(self, name: str) -> list[str]:
        """Every field of this (lower-case) name."""
        return [_unfolded(value) for value in self.fields.get(name, ())]

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def address(self, name: str) -> str:
        """The first address in that field, or empty."""
        match = ADDRESS.search(self.get(name))
        return match[0] if match else ""


def _unfolded(value: bytes) -> str:
    text = words.text_of(value[:LONGEST_HEADERS].replace(b"\n", b""))
    return words.decoded(text).strip()


@dataclass(slots=True)
class MailPart:
    """One part of a mail: where it stands in `source`, and what it says it is."""

    source: bytes
    start: int
    end: int
    headers: Headers
    depth: int
    type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The decoded content."""
        return self._content(len(self.source))

    def _content(self, most: int) -> bytes:
        raw = self.source[self.start : min(self.end, self.start + most)]
        encoding = self.headers.get("content-transfer-encoding")
        return words.unwrapped(raw, encoding) if encoding else raw

    @property
    def text(self) -> str:
        """The content as text, cut where it is too long; HTML still has its tags."""
        return self._text(LONGEST_TEXT)

    def long_text(self, charset: str = "") -> str:
        """The text of a part that may list thousands of recipients; `charset` is for one that names none."""
        return self._text(LONGEST_LIST, charset)

    def own_text(self, charset: str = "") -> str:
        """The text of a part up to the returned mail that is printed within: its words are those of who wrote it."""
        text = self.long_text(charset)
        copy = _inline_mail(text)
        return text if copy < 0 else text[:copy]

    def _text(self, most: int, charset: str = "") -> str:
        text = words.text_of(self._content(most), self.parameters.get("charset") or charset)
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class ParsedMail:
    """A mail: its headers, and whatever is asked for of its parts and text."""

    def __init__(self, source: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> None:
        """The mail between `start` and `end` of `source`, which has LF line ends (see `parsed`)."""
        end = len(source) if end is None else end
        start = _start(source, start, end)
        body = _end_of_headers(source, start, end)
        self.headers = Headers(source[start : min(body, start + LONGEST_HEADERS)])
        self.depth = depth
        self._body = (source, _after_blank_line(source, body, end), end)

    @cached_property
    def root(self) -> MailPart:
        """The mail itself as a part."""
        return _part(*self._body, self.headers, self.depth)

    @cached_property
    def parts(self) -> list[MailPart]:
        """The leaves in order; an enclosed mail (message/rfc822 and the headers-only forms) is a leaf, too."""
        leaves: list[MailPart] = []
        waiting, seen = [self.root], 0
        while waiting and seen < MOST_PARTS:
            part = waiting.pop()
            seen += 1
            is_branch = part.type.startswith("multipart/") and part.depth < self.depth + DEEPEST
            if children := _children(part) if is_branch else []:
                waiting.extend(reversed(children))
            else:
                leaves.append(part)
        return leaves

    @cached_property
    def enclosed(self) -> "list[ParsedMail]":
        """The enclosed mails, most often the returned one."""
        if self.depth >= DEEPEST:
            return []
        return [_enclosed(part) for part in self.parts if is_enclosed_mail(part.type)]

    def of_type(self, *types: str) -> Iterator[MailPart]:
        return (part for part in self.parts if part.type in types)

    @cached_property
    def charset(self) -> str:
        """The first character set that a part names: that of the server, for parts that name none."""
        return next((name for part in self.parts if (name := part.parameters.get("charset", ""))), "")

    @cached_property
    def subject(self) -> str:
        return self.headers.get("subject")

    @cached_property
    def sender(self) -> str:
        """The address of the From field, in lower case, or its words where it holds none."""
        return (self.headers.address("from") or self.headers.get("from")).lower()

    @cached_property
    def prose(self) -> str:
        """What the mail tells a human, together with a mail that is printed within: use `text`."""
        plain = [part.text for part in self.parts if part.type == "text/plain" and not _is_attached(part)]
        if not any(text.strip() for text in plain):
            plain = [words.without_tags(part.text) for part in self.parts if part.type == "text/html"]
        text = "\n".join(plain)[:LONGEST_TEXT]
        # Tags in the copy of the returned mail, a newsletter most often, say nothing about what stands above it.
        copy = _inline_mail(text)
        told = text if copy < 0 else text[:copy]
        if words.HAS_TAGS.search(told[:2000]) and "</" in told:
            return words.without_tags(text)
        return text

    @cached_property
    def _inline_at(self) -> int:
        return _inline_mail(self.prose)

    @cached_property
    def text(self) -> str:
        """What the mail tells a human, up to where a returned mail is printed."""
        return self.prose[: self._inline_at] if self._inline_at >= 0 else self.prose

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def returned(self) -> "ParsedMail | None":
        """The mail that came back: enclosed, or printed within the text; None where there is none."""
        if self.enclosed:
            return self.enclosed[0]
        if self._inline_at >= 0:
            return ParsedMail(self.prose[self._inline_at :].encode("utf-8", "replace"), depth=self.depth + 1)
        return None


def parsed(raw: bytes) -> ParsedMail:
    """The mail in these bytes, whatever their line ends are."""
    return ParsedMail(with_lf(raw))


def with_lf(raw: bytes) -> bytes:
    """The mail with LF at the end of each line, whether it came with CR, CRLF or a mixture."""
    if b"\r" not in raw:
        return raw
    if b"\n" not in raw:
        return raw.replace(b"\r", b"\n")
    lines = raw.replace(b"\r\n", b"\n")
    return ODD_LINE_ENDS.sub(_line_ends, lines) if b"\r" in lines else lines


def _line_ends(odd: re.Match[bytes]) -> bytes:
    return b"\n" if odd[0].endswith(b"\n") else b"\n" * len(odd[0])


def _enclosed(part: MailPart) -> ParsedMail:
    if "content-transfer-encoding" in part.headers and part.headers.get("content-transfer-encoding")[:1] in "bBqQ":
        return ParsedMail(with_lf(part.content), depth=part.depth + 1)
    return ParsedMail(part.source, part.start, part.end, part.depth + 1)


def _start(source: bytes, start: int, end: int) -> int:
    """Where the header begins: after a byte order mark, blank lines and the From line of an mbox."""
    if source.startswith(b"\xef\xbb\xbf", start, end):
        start += 3
    if blank := BLANK_LINES.match(source, start, end):
        start = blank.end()
    match = MBOX_LINE.match(source, start, end)
    return match.end() if match else start


def _end_of_headers(source: bytes, start: int, end: int) -> int:
    match = FIELDS.match(source, start, end)
    return match.end() if match else start


def _after_blank_line(source: bytes, body: int, end: int) -> int:
    return min(body + 1, end) if source.startswith(b"\n", body) else body


def _part(source: bytes, start: int, end: int, headers: Headers, depth: int) -> MailPart:
    part = MailPart(source, start, end, headers, depth)
    # Most parts have a header of a few lines; the parse is only worth it where there is something to find.
    value = headers.get("content-type")
    if value:
        # Some servers leave out the semicolon before the parameters.
        kind, _, rest = value.replace(";", " ", 1).strip().partition(" ")
        part.type = kind.lower() or "text/plain"
        part.parameters = _parameters(";" + rest) if rest else {}
    return part


def _parameters(text: str) -> dict[str, str]:
    """Parameters of a Content-Type (RFC 2045 section 5.1), with pieces put together (RFC 2231 section 3)."""
    found: dict[str, str] = {}
    for name, _piece, _extended, value in PARAMETER.findall(text[:4_000]):
        plain = value[1:-1].replace("\\", "") if value[:1] == '"' and len(value) > 1 else value
        key = name.lower()
        found[key] = found.get(key, "") + plain if _piece else found.get(key) or plain
    return found


def _children(parent: MailPart) -> list[MailPart]:
    children = [_child(parent, start, end) for start, end in _spans(parent)]
    if not children:
        parent.type = "text/plain"
    return children


def _child(parent: MailPart, start: int, end: int) -> MailPart:
    source = parent.source
    body = _end_of_headers(source, start, end)
    headers = Headers(source[start : min(body, start + LONGEST_HEADERS)])
    child = _part(source, _after_blank_line(source, body, end), end, headers, parent.depth + 1)
    if parent.type == "multipart/digest" and "content-type" not in headers:
        child.type = "message/rfc822"
    return child


def _spans(parent: MailPart) -> list[tuple[int, int]]:
    """Where the parts of a multipart stand (RFC 2046 section 5.1.1); its last delimiter may be missing."""
    source, start, end = parent.source, parent.start, parent.end
    boundary = parent.parameters.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")
    spans = _between(source, start, end, boundary) if boundary else []
    if not spans and (match := UNNAMED_BOUNDARY.search(source, max(start - 1, 0), min(end, start + LONGEST_TEXT))):
        spans = _between(source, start, end, match[1].rstrip())
    return spans


def _between(source: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    begun = -1
    for at, after, is_last in _delimiters(source, start, end, boundary):
        if begun >= 0:
            spans.append((begun, max(at, begun)))
        begun = after
        if is_last or len(spans) >= MOST_PARTS:
            return spans
    if 0 <= begun < end:
        spans.append((begun, end))
    return spans


def _delimiters(source: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
    """Each delimiter: where its line end begins, where the part after it does, whether it is the last one."""
    line = b"\n--" + boundary
    # The line end before a delimiter belongs to it, so the search begins with that of the header.
    at = source.find(line, max(start - 1, 0), end)
    while at >= 0:
        after = at + len(line)
        line_end = source.find(b"\n", after, end)
        line_end = end if line_end < 0 else line_end
        rest = source[after : min(line_end, after + 80)].rstrip()
        if rest in {b"", b"--"}:
            yield at, min(line_end + 1, end), bool(rest)
        at = source.find(line, after, end)


def is_enclosed_mail(kind: str) -> bool:
    return kind in ENCLOSED


def _is_attached(part: MailPart) -> bool:
    return part.headers.get("content-disposition")[:10].lower() == "attachment"


def _inline_mail(text: str) -> int:
    """Where a mail is printed within a text: at least three header fields, one of which no human writes."""
    at = 0
    for match in INLINE.finditer(text):
        if match.end() < at:
            continue
        block = INLINE_BLOCK.match(text, match.end())
        if block:
            if TRACE.search(block[0]):
                return match.end()
            at = block.end()
    return -1
