"""What is read of an email's HTML: its plain text, for whoever reads without HTML, and whether a way out is seen."""

import re
from collections import Counter
from typing import Final

from messaging.sendouts.links import WAY_OUT, in_text, read_by_browsers
from messaging.sendouts.markup import Piece, TokenKind, in_attribute, pieces
from messaging.sendouts.tags import TAG, name_in

_BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
# They have no end (WHATWG HTML 13.1.2).
_VOID: Final = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
})  # fmt: skip
# What ends an element that has no end of its own (13.1.2.4).
_ENDED_BY: Final = {
    "p": _BLOCKS | {"li"}, "li": frozenset({"li"}), "td": frozenset({"td", "th", "tr"}),
    "th": frozenset({"td", "th", "tr"}), "tr": frozenset({"tr", "tbody", "tfoot"}),
    "dt": frozenset({"dt", "dd"}), "dd": frozenset({"dt", "dd"}), "option": frozenset({"option"}),
}  # fmt: skip
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_GAPS: Final = re.compile(r"\n{3,}")
# Signs without a look, several of them: what a preview of the inbox is filled up with. One alone belongs to its word.
_NO_LOOK: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2800\u3164\ufeff"
)
_FILLER: Final = re.compile(rf"(?:[{_NO_LOOK}]\s*){{2,}}")
_COMMENT_IN_STYLE: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ZERO: Final = re.compile(r"0+(?:\.0+)?(?:[a-z]+|%)?")


def text_of_html(html: str) -> str:
    """Paragraphs apart, items after a dash, links with their address behind them, images by what they show.

    Without what is hidden, and without what fills up the preview of an inbox.
    """
    return _Reader(html).text()


def shows_way_out(html: str) -> bool:
    """Whether somebody who reads the HTML sees how to unsubscribe: a link that shows something, or the address."""
    return _Reader(html).shows_way_out


class _Reader:
    def __init__(self, html: str) -> None:
        self._out = _Lines()
        # What is hidden: the element that hides it, and what was begun since; and what was begun before.
        self._hidden, self._inside, self._outside = "", Counter[str](), Counter[str]()
        # Where the open link leads, and where what it says begins.
        self._link: tuple[str, int] | None = None
        self.shows_way_out = False
        for piece in pieces(html):
            if piece.kind is TokenKind.BEGIN:
                self._begin(piece)
            elif piece.kind is TokenKind.END:
                self._end(piece.name)
            elif (
                piece.kind is TokenKind.TEXT or (piece.kind is TokenKind.RAW and piece.name == "xmp")
            ) and not self._hidden:
                self._read(piece.text)

    def _begin(self, piece: Piece) -> None:
        name = piece.name
        if self._hidden:
            if self._inside.total() > 1 or name not in _ENDED_BY.get(self._hidden, ()):
                self._inside[name] += name not in _VOID
                return
            self._hidden = ""
        if name not in _VOID and (name == "template" or is_hidden(piece)):
            self._hidden, self._inside = name, Counter([name])
            return
        self._outside[name] += 1
        if name == "br":
            self._out.begin()
        elif name == "li":
            self._out.begin_line()
            self._out.add("- ")
        elif name in _BLOCKS:
            self._out.begin_paragraph()
        elif name in ("td", "th"):
            self._out.begin_cell()
        elif name == "img" and not is_hidden(piece):
            self._out.say(_without_filler(in_attribute(piece.given.get("alt", ""))))
            self._see()
        elif name == "a":
            self._end_link()
            address = read_by_browsers(in_attribute(piece.given.get("href", "")))
            self._link = address, self._out.place

    def _end(self, name: str) -> None:
        if self._hidden:
            if self._inside[name]:
                self._inside[name] -= 1
                ends = name == self._hidden and not self._inside[name]
            else:
                ends = self._outside[name] > 0 and name not in _ENDED_BY
            if not ends:
                return
            self._hidden = ""
        self._outside[name] -= self._outside[name] > 0
        if name == "a":
            self._end_link()
        elif name in _BLOCKS:
            self._out.begin_paragraph()

    def _read(self, text: str) -> None:
        text = _without_filler(text)
        self._out.say(_SPACES.sub(" ", text))
        if text.strip():
            self._see()
            self.shows_way_out |= any(name_in(found) == WAY_OUT for found in TAG.finditer(text))

    def _see(self) -> None:
        """Something is to be seen: of a link, its reader can follow it."""
        if self._link and _is_way_out(self._link[0]):
            self.shows_way_out = True

    def _end_link(self) -> None:
        if self._link is None:
            return
        address, start = self._link
        self._link = None
        # With a subject or the like it is a link still, and not an address.
        address = address if "?" in address else address.removeprefix("mailto:")
        said = self._out.since(start)
        if address and not address.startswith("#") and address != said:
            shown = in_text(address)
            self._out.say(f" ({shown})" if said else shown)

    def text(self) -> str:
        self._end_link()
        return self._out.text()


class _Lines:
    """Text that grows, in pieces: to make a string longer takes as long as it is."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._has_said = False
        self._line_is_empty = self._line_is_blank = True
        self._ends_in_blank = False

    @property
    def place(self) -> int:
        return len(self._pieces)

    def since(self, place: int) -> str:
        return "".join(self._pieces[place:]).replace("\n", "").strip()

    def add(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._has_said = True
            self._line_is_empty = False
            self._line_is_blank &= not text.strip()
            self._ends_in_blank = text.endswith(" ")

    def say(self, text: str) -> None:
        self.add(text.lstrip(" ") if self._line_is_empty or self._ends_in_blank else text)

    def begin(self) -> None:
        self._pieces.append("\n")
        self._line_is_empty = self._line_is_blank = True
        self._ends_in_blank = False

    def begin_line(self) -> None:
        if not self._line_is_blank:
            self.begin()

    def begin_paragraph(self) -> None:
        self.begin_line()
        if self._has_said and self._line_is_empty:
            self.begin()

    def begin_cell(self) -> None:
        if not self._line_is_empty:
            self.say(" ")

    def text(self) -> str:
        lines = "".join(self._pieces).split("\n")
        return _GAPS.sub("\n\n", "\n".join(map(str.rstrip, lines))).strip() + "\n"


def _without_filler(text: str) -> str:
    return text if text.isascii() else _FILLER.sub(" ", text)


def _is_way_out(address: str) -> bool:
    found = TAG.match(address)
    return found is not None and name_in(found) == WAY_OUT


def is_hidden(piece: Piece) -> bool:
    """Whether an element's own attributes keep it from being seen."""
    given = piece.given
    if "hidden" in given:
        return True
    style = given.get("style")
    return style is not None and _hides(in_attribute(style))


def _hides(style: str) -> bool:
    said, is_important = dict[str, str](), set[str]()
    for each in _COMMENT_IN_STYLE.sub("", style.lower()).split(";"):
        name, _colon, value = each.partition(":")
        name, value = name.strip(), value.strip()
        important = value.endswith("important") and "!" in value
        if important or name not in is_important:
            said[name] = value.partition("!")[0].strip()
            if important:
                is_important.add(name)
    return (
        said.get("display") == "none"
        or said.get("visibility") in ("hidden", "collapse")
        or (_is_zero(said.get("max-height", "")) and said.get("overflow") == "hidden")
        or _is_zero(said.get("opacity", ""))
    )


def _is_zero(value: str) -> bool:
    return _ZERO.fullmatch(value) is not None
