"""Where links lead: read as browsers read them, values put in so that they cannot steer, and what leads nowhere. Pure.

The address of a link is what browsers make of its attribute: character references decoded (markup.py), blanks around it
and line breaks and tabs within it dropped (WHATWG URL 4.4).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import partial
from html import unescape
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from django.utils.translation import gettext as _

from engage.domains import in_ascii
from messaging.sendouts.markup import Attribute, Piece, TokenKind, in_attribute, pieces, within
from messaging.sendouts.tags import TAG, Quote, Tag, Text, compiled, name_in

# So much of an address is said where something is wrong with it.
LONGEST_SHOWN: Final = 80
WAY_OUT: Final = "unsubscribeUrl"
# Attributes that hold an address, whatever the element (WHATWG HTML, "Attributes"; VML's have href and src, too).
_ADDRESSES: Final = frozenset({
    "href", "src", "action", "formaction", "background", "poster", "cite", "longdesc", "data", "xlink:href",
})  # fmt: skip
_LINKS: Final = frozenset({"a", "area"})
# What C0 controls and blanks browsers drop around an address, and within it.
_AROUND: Final = "".join(map(chr, range(0x21)))
_WITHIN: Final = re.compile(r"[\t\n\r]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NO_SCHEME_YET: Final = re.compile(r"[A-Za-z0-9+.-]*\Z")
# "http:" takes any slashes, and backslashes, before its host (WHATWG URL 4.4, special authority slashes state).
_IN_AUTHORITY: Final = re.compile(r"(?:https?:[\\/]*|(?:[a-z][a-z0-9+.-]*:)?[\\/]{2})[^\\/?#]*\Z", re.IGNORECASE)
_WEB: Final = re.compile(r"(https?:)[\\/]*([^\\/?#]*)", re.IGNORECASE)
# Signs that no host has (WHATWG URL 3.5, forbidden domain code points).
_NO_HOST: Final = re.compile(r"[\x00-\x20\x7f<>^`{|}\"]|\[\[")
_PORT: Final = re.compile(r":[0-9]+\Z")
# An address in plain text, in brackets without a scheme, too (plain.py), with the tags in it; a blank ends it.
_IN_TEXT: Final = re.compile(
    r"(?:\b(?:https?://|mailto:|tel:|sms:|www\.)|(?<=\()/)(?:\[\[[^\[\]\n]*\]\]|[^\s<>\"\[]|\[(?!\[))*",
    re.IGNORECASE,
)
# How links were numbered before: what stands in comments, too, and in quotes alone. Their numbers are in mails that
# people have, so each keeps its number.
_NUMBERED: Final = re.compile(r"""<a\b[^<>]*?\shref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)

_BLANK_OR_TAG: Final = re.compile(rf" |{TAG.pattern}")
# Scheme and host are over by then (RFC 1035 2.3.4: 255 octets), or the address leads nowhere.
_LONGEST_HOST: Final = 1_000

_everything: Final[Quote] = partial(quote, safe="")
# RFC 6068 2: the @ of a mailbox stands for itself. RFC 3966 3: the plus sign is part of a number.
_OF_MAILBOX: Final[Quote] = partial(quote, safe="@")
_OF_NUMBER: Final[Quote] = partial(quote, safe="+")
_NUMBERS: Final = ("tel:", "sms:", "smsto:", "callto:", "whatsapp:")


def _nothing(_value: str) -> str:
    """What is known of a contact never says whose host a link leads to."""
    return ""


class Link(NamedTuple):
    """An address in HTML: as it is written at html[start:end], and as browsers read it, tags as they were written."""

    element: str
    attribute: str
    start: int
    end: int
    quote: str
    address: str

    @property
    def is_followed(self) -> bool:
        return self.element in _LINKS and self.attribute == "href"


def read_by_browsers(address: str) -> str:
    """The address without what browsers drop: blanks around it, line breaks and tabs within."""
    return _WITHIN.sub("", address.strip(_AROUND))


def links_in(html: str) -> Iterator[Link]:
    """All addresses in attributes, in order; those that Outlook alone reads, too."""
    for piece in pieces(html):
        if piece.kind is TokenKind.COMMENT and piece.is_condition:
            for inner in within(html, piece):
                yield from _links_of(inner)
        else:
            yield from _links_of(piece)


def _links_of(piece: Piece) -> Iterator[Link]:
    if piece.kind is not TokenKind.BEGIN:
        return
    seen = set[str]()
    for each in piece.attributes:
        if each.name in _ADDRESSES and each.name not in seen:
            seen.add(each.name)
            yield Link(piece.name, each.name, each.start, each.end, each.quote, _address(each))


def _address(attribute: Attribute) -> str:
    return read_by_browsers(in_attribute(attribute.value))


def numbered(html: str) -> Iterator[tuple[int, Link]]:
    """The links that can be followed, each with the number that it has in mails for ever."""
    known = {found.start(found.lastindex or 0): number for number, found in enumerate(_NUMBERED.finditer(html))}
    further = len(known)
    for link in links_in(html):
        if not link.is_followed:
            continue
        number = known.get(link.start)
        if number is None:
            number, further = further, further + 1
        yield number, link


def is_web(address: str) -> bool:
    """Whether it is a web address whose host is given, and by no tag."""
    return bool(_host_of(address))


def _host_of(address: str) -> str:
    """The host of a web address, in ASCII; empty where there is none, or none that can be."""
    found = _WEB.match(address)
    if found is None or _NO_HOST.search(found[2]):
        return ""
    try:
        parts = urlsplit(f"http://{found[2]}/")
        host = parts.hostname if parts.port is None or parts.port > 0 else None
    except ValueError:  # such as [::1, or a port that is no number
        return ""
    host = in_ascii(host or "").strip(".")
    return host if host.isascii() else ""


def place_of(before: str) -> Quote | None:
    """How a value is written into an address behind `before` (decoded, tags left out): None where it is all there is.

    Percent-encoded (RFC 3986 2.1), but for what its place needs bare. Nothing at all in scheme and host.
    """
    before = read_by_browsers(before)
    if not before:
        return None
    if _NO_SCHEME_YET.match(before) or _IN_AUTHORITY.match(before):
        return _nothing
    scheme = found[0].lower() if (found := _SCHEME.match(before)) else ""
    if "?" not in before:
        if scheme == "mailto:":
            return _OF_MAILBOX
        if scheme in _NUMBERS:
            return _OF_NUMBER
    return _everything


def _quote_of(name: str, before: str) -> Quote | None:
    place = place_of(before)
    if place is None:
        # A link that is a tag alone: our own, or an address that a name would spell.
        return None if name == WAY_OUT else _everything
    return place


class _Spans:
    """Addresses within a text, by where they stand."""

    def __init__(self, text: str, found: Iterable[tuple[int, int]], decoded: bool) -> None:
        self._text, self._is_html = text, decoded
        self._spans = sorted(found)
        self._starts = [start for start, _end in self._spans]

    def quote_at(self, name: str, at: int) -> Quote | None:
        place = bisect_right(self._starts, at) - 1
        if place < 0 or at >= self._spans[place][1]:
            return None
        start = self._spans[place][0]
        before = self._text[start : min(at, start + _LONGEST_HOST)]
        # Tags before it may stand in for anything, so a sign that begins neither scheme nor host.
        before = TAG.sub("x", in_attribute(before) if self._is_html else before)
        return _quote_of(name, before)


def html_compiled(html: str) -> Text:
    """HTML, ready to be filled in: values within addresses percent-encoded; what is said for want of a value is text,
    and its character references are decoded. Raises TagError."""
    if "[[" not in html:
        return compiled(html)
    spans = _Spans(html, ((each.start, each.end) for each in links_in(html)), decoded=True)
    return compiled(html, lambda name, otherwise, at: Tag(name, unescape(otherwise), spans.quote_at(name, at)))


def text_compiled(text: str) -> Text:
    """Plain text, ready to be filled in: values within addresses percent-encoded. Raises TagError."""
    if "[[" not in text:
        return compiled(text)
    spans = _Spans(text, (found.span() for found in _IN_TEXT.finditer(text)), decoded=False)
    return compiled(text, lambda name, otherwise, at: Tag(name, otherwise, spans.quote_at(name, at)))


def address_compiled(address: str) -> Text:
    """An address as links_in reads it, ready to be filled in. Raises TagError."""
    spans = _Spans(address, [(0, len(address))], decoded=False)
    return compiled(address, lambda name, otherwise, at: Tag(name, otherwise, spans.quote_at(name, at)))


def for_redirect(address: str) -> str:
    """A web address as a Location header has it, its host in ASCII; empty where it leads nowhere."""
    address = read_by_browsers(address)
    host, found = _host_of(address), _WEB.match(address)
    if not host or found is None:
        return ""
    shown = found[2] if found[2].isascii() else host + (_PORT.search(found[2]) or [""])[0]
    return f"{found[1].lower()}//{shown}{address[found.end() :]}"


def in_text(address: str) -> str:
    """An address as plain text shows it: a blank would end it, so blanks outside of tags are %20."""
    return _BLANK_OR_TAG.sub(lambda found: "%20" if found[0] == " " else found[0], address)


def problems_in(html: str, text: str) -> tuple[list[str], list[str]]:
    """What is wrong with the links in HTML and in plain text, in words that say what to do."""
    in_html = [each.address for each in links_in(html)]
    in_plain = [found[0] for found in _IN_TEXT.finditer(text)]
    nowhere = [_nowhere(each) for each in in_html if _WEB.match(each) and not is_web(each) and not _is_steered(each)]
    steered = ([_steered(each) for each in found if _is_steered(each)] for found in (in_html, in_plain))
    return [*dict.fromkeys([*next(steered), *nowhere])], [*dict.fromkeys(next(steered))]


def _is_steered(address: str) -> bool:
    """Whether what is known of a contact would say by which scheme, or to which host."""
    return any(_steers(found, address) for found in TAG.finditer(address))


def _steers(found: re.Match[str], address: str) -> bool:
    before = TAG.sub("x", address[: min(found.start(), _LONGEST_HOST)])
    return place_of(before) is _nothing or (not before and name_in(found) != WAY_OUT)


def _steered(address: str) -> str:
    return _(
        "In the link %(address)s a tag says where it leads. Write that out, up to the first slash; tags may follow."
    ) % {"address": _shortened(address)}


def _nowhere(address: str) -> str:
    return _("The link %(address)s leads nowhere. Write where it leads, such as https://shop.example/.") % {
        "address": _shortened(address)
    }


def _shortened(address: str) -> str:
    return address if len(address) <= LONGEST_SHOWN else f"{address[: LONGEST_SHOWN - 1]}…"
