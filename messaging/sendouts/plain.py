"""The plain text of an HTML email, for whoever reads without HTML."""

import re
from html.parser import HTMLParser
from typing import Final

_BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "figure", "footer", "form", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
_UNSEEN: Final = frozenset({"head", "script", "style", "title", "template"})
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_GAPS: Final = re.compile(r"\n{3,}")


def text_of_html(html: str) -> str:
    """Paragraphs apart, items after a dash, links with their address behind them, images by what they show."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = [""]
        self._unseen = 0
        # What each open link says, and where it leads.
        self._links: list[tuple[int, int, str]] = []

    def parse_html_declaration(self, i: int) -> int:
        """What begins like a declaration and is none, such as `<![x[`, is a comment to browsers; the library raises."""
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._lines.append("")
        elif tag == "li":
            self._begin_line()
            self._lines[-1] = "- "
        elif tag in _BLOCKS:
            self._begin_paragraph()
        elif tag in ("td", "th") and self._lines[-1]:
            self._say(" ")
        elif tag == "img":
            self._say(given.get("alt") or "")
        elif tag == "a":
            self._links.append((len(self._lines), len(self._lines[-1]), given.get("href") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "a" and self._links:
            self._end_link()
        elif tag in _BLOCKS:
            self._begin_paragraph()

    def handle_data(self, data: str) -> None:
        self._say(_SPACES.sub(" ", data))

    def _end_link(self) -> None:
        lines, start, address = self._links.pop()
        address = address.removeprefix("mailto:")
        said = "".join(self._lines[lines - 1 :])[start:].strip()
        if address and not address.startswith("#") and address != said:
            self._say(f" ({address})" if said else address)

    def _say(self, text: str) -> None:
        if self._unseen:
            return
        if not self._lines[-1] or self._lines[-1].endswith(" "):
            text = text.lstrip(" ")
        self._lines[-1] += text

    def _begin_line(self) -> None:
        if self._lines[-1].strip():
            self._lines.append("")

    def _begin_paragraph(self) -> None:
        self._begin_line()
        if any(self._lines) and not self._lines[-1]:
            self._lines.append("")

    def text(self) -> str:
        return _GAPS.sub("\n\n", "\n".join(line.rstrip() for line in self._lines)).strip() + "\n"
