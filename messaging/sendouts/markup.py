"""HTML in pieces, as browsers cut it (WHATWG HTML 13.2.5): tags, text, comments. Pure, and linear in the length.

Nothing is looked at twice: what is never closed goes on to the end of the text, and then there is nothing left.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import cached_property
from html import unescape
from html.entities import html5
from types import MappingProxyType
from typing import Final, NamedTuple

# What stands in these is no markup; of the first two, character references count (13.2.5.2), of the others not.
_ESCAPABLE: Final = frozenset({"title", "textarea"})
_RAW: Final = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes"})
_BLANKS: Final = re.compile(r"[\t\n\f\r /]*")
_NAME: Final = re.compile(r"[^\t\n\f\r />]*")
_ATTRIBUTE: Final = re.compile(r"=?[^\t\n\f\r />=]*")
_SPACES: Final = re.compile(r"[\t\n\f\r ]*")
_UNQUOTED: Final = re.compile(r"[^\t\n\f\r >]*")
# "<!-->" and "<!--->" are comments by themselves (13.2.5.43).
_COMMENT: Final = re.compile(r"<!--(?:-?>|.*?(?:--!?>))", re.DOTALL)
_CONDITION: Final = re.compile(r"<!--\[if [^\]]*\]>", re.IGNORECASE)
_ENDS_OF_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in _ESCAPABLE | _RAW
}  # fmt: skip
_REFERENCE: Final = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9A-Fa-f]+;?|([0-9A-Za-z]{1,32};?))")


class TokenKind(Enum):
    TEXT = auto()
    RAW = auto()  # what stands in a script, a style sheet and so on
    BEGIN = auto()
    END = auto()
    COMMENT = auto()  # and whatever else browsers pass over


class Attribute(NamedTuple):
    """Its value as it is written stands at html[start:end], in quotes or not."""

    name: str
    value: str
    start: int
    end: int
    quote: str


class Piece:
    """html[start:end]. `name` of tags, lower-cased; of raw text, that of its element.

    `is_open`: the text is over before this is.
    """

    def __init__(
        self, html: str, kind: TokenKind, start: int, end: int, name: str = "", *,
        is_open: bool = False, attributes: Sequence[Attribute] = (),
    ) -> None:  # fmt: skip
        self._html, self.kind, self.start, self.end, self.name = html, kind, start, end, name
        self.is_open, self.attributes = is_open, attributes

    @property
    def source(self) -> str:
        return self._html[self.start : self.end]

    @cached_property
    def text(self) -> str:
        """What is read, of text."""
        return self.source if self.kind is TokenKind.RAW and self.name in _RAW else unescape(self.source)

    @cached_property
    def given(self) -> Mapping[str, str]:
        """Its attributes by name; of two of a name, browsers take the first (13.2.5.33)."""
        return MappingProxyType({each.name: each.value for each in reversed(self.attributes)})

    @property
    def is_condition(self) -> bool:
        """Whether only Outlook reads what stands in this comment: <!--[if mso]>, and not <!--[if !mso]><!-->."""
        return self.kind is TokenKind.COMMENT and _CONDITION.match(self._html, self.start, self.end) is not None


def pieces(html: str, start: int = 0, end: int | None = None) -> Iterator[Piece]:
    """All of it, or html[start:end], in order."""
    at, limit = start, len(html) if end is None else end
    while at < limit:
        piece = _piece(html, at, limit)
        yield piece
        at = piece.end
        if piece.kind is TokenKind.BEGIN and not piece.is_open and (ends := _ENDS_OF_RAW.get(piece.name)):
            found = ends.search(html, at, limit)
            raw = Piece(html, TokenKind.RAW, at, found.start() if found else limit, piece.name, is_open=found is None)
            yield raw
            at = raw.end


def within(html: str, comment: Piece) -> Iterator[Piece]:
    """What Outlook reads of a condition."""
    opening = _CONDITION.match(html, comment.start, comment.end)
    return pieces(html, opening.end() if opening else comment.end, comment.end)


def _piece(html: str, at: int, limit: int) -> Piece:
    if html[at] != "<":
        return _text(html, at, at, limit)
    after, second = (html[place] if place < limit else "" for place in (at + 1, at + 2))
    if _is_letter(after):
        return _tag(html, TokenKind.BEGIN, at, at + 1, limit)
    if after == "/" and _is_letter(second):
        return _tag(html, TokenKind.END, at, at + 2, limit)
    if html.startswith("<!--", at, limit):
        found = _COMMENT.match(html, at, limit)
        return Piece(html, TokenKind.COMMENT, at, found.end() if found else limit, is_open=found is None)
    if after in {"!", "?"} or (after == "/" and second):
        end = html.find(">", at, limit)
        return Piece(html, TokenKind.COMMENT, at, end + 1 if end >= 0 else limit, is_open=end < 0)
    return _text(html, at, at + 1, limit)


def _is_letter(sign: str) -> bool:
    return sign.isascii() and sign.isalpha()


def _text(html: str, start: int, at: int, limit: int) -> Piece:
    """Up to the next "<" after `at`."""
    end = html.find("<", at, limit)
    return Piece(html, TokenKind.TEXT, start, end if end >= 0 else limit)


def _tag(html: str, kind: TokenKind, start: int, at: int, limit: int) -> Piece:
    name_ends = at = _past(_NAME, html, at, limit)
    inside = list[Attribute]()
    while (at := _past(_BLANKS, html, at, limit)) < limit and html[at] != ">":
        attribute, at = _attribute(html, at, limit)
        inside.append(attribute)
    if at >= limit:  # browsers drop it
        return Piece(html, TokenKind.COMMENT, start, limit, is_open=True)
    name = html[start + (2 if kind is TokenKind.END else 1) : name_ends].lower()
    return Piece(html, kind, start, at + 1, name, attributes=inside)


def _attribute(html: str, at: int, limit: int) -> tuple[Attribute, int]:
    """The attribute that begins here, and where it ends: at the limit where its quote is never closed."""
    name_ends = _past(_ATTRIBUTE, html, at, limit)
    name, at = html[at:name_ends].lower(), _past(_SPACES, html, name_ends, limit)
    if not html.startswith("=", at, limit):
        return Attribute(name, "", at, at, ""), at
    start = _past(_SPACES, html, at + 1, limit)
    quote = html[start : start + 1] if start < limit else ""
    if quote in {"'", '"'}:
        start += 1
        end = html.find(quote, start, limit)
        return Attribute(name, html[start:end], start, end, quote), end + 1 if end >= 0 else limit
    end = start if quote == ">" else _past(_UNQUOTED, html, start, limit)
    return Attribute(name, html[start:end], start, end, ""), end


def _past(pattern: re.Pattern[str], text: str, at: int, limit: int) -> int:
    found = pattern.match(text, at, limit)
    return found.end() if found else at


def in_attribute(value: str) -> str:
    """The value of an attribute, its character references decoded as browsers do.

    One without its semicolon stands for itself where "=", a letter or a digit follows (WHATWG HTML 13.2.5.73, named
    character reference state): it is most likely the next name in a query, such as &region=.
    """
    return _REFERENCE.sub(_decoded, value) if "&" in value else value


def _decoded(found: re.Match[str]) -> str:
    said = found[1]
    if said is None:
        return unescape(found[0])
    if said in html5:
        after = found.string[found.end() : found.end() + 1]
        return found[0] if not said.endswith(";") and after == "=" else html5[said]
    # What is longest and known, such as &notit; of &not: then a letter or a digit follows, and it stands for itself.
    return found[0]
