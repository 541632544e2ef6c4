"""What a content says that most likely was not meant: told before the start, and nobody is stopped by it. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from django.utils.translation import gettext as _

from contacts.models import Channel
from messaging.sendouts.links import LONGEST_SHOWN, Link, links_in, read_by_browsers
from messaging.sendouts.markup import Piece, TokenKind, in_attribute, pieces, within
from messaging.sendouts.models import Content
from messaging.sendouts.tags import TAG

# Gmail shows so much of a mail's HTML, and "View entire message" instead of the rest: the way out and the pixel, too.
CLIPPED_AT: Final = 102 * 1024
MOST_SHOWN: Final = 5
# How other systems write what is put in: Mailchimp, Salesforce Marketing Cloud, Handlebars and Liquid (HubSpot,
# Klaviyo, SendGrid, Braze), Campaign Monitor, ActiveCampaign, Marketo, Freemarker, ERB, Dotdigital, Apsis.
_MERGE_WORDS: Final = re.compile(
    r"\*\|[A-Z0-9_:.=|-]{1,60}\|\*|%%[^%\n]{1,80}%%|\{\{\{?[^{}\n]{1,120}\}?\}\}|\{%[^{}%\n]{1,120}%\}|"
    r"\[%[^\]%\n]{1,80}%?\]|\$\{[\w.:!?(), -]{1,80}\}|<%=?[^<>%\n]{1,80}%>|(?<![\w&#])#[A-Z][A-Z0-9_]{2,40}#|"
    r"(?<![\w%])%[A-Z][A-Z0-9_-]{2,40}%(?!\w)|\[(?:first|last|full)[ _]?name(?:,[^\[\]\n]{1,40})?\]|"
    r"(?<!\[)\[(?:fname|lname|firstname|lastname|email|name|unsubscribe|webversion)(?:,[^\[\]\n]{1,40})?\](?!\])|"
    r"<(?:unsubscribe|webversion)>|@@[\w.]{1,40}@@|##[\w.]{1,40}##|\{(?:first|last)_?name\}",
    re.IGNORECASE,
)
_LOCAL_PATH: Final = re.compile(r"[a-z]:[\\/]|[a-z]\|[\\/]|\\\\|/(?:users|home)/", re.IGNORECASE)
_LOCAL_HOST: Final = re.compile(
    r"https?://(?:localhost|127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|0\.0\.0\.0|\[::1\]|"
    r"[^/.:?#\[]+(?:[/:?#]|\Z)|"
    r"[^/?#]*\.(?:local|internal|lan|test|localhost|invalid)(?:[/:?#]|\Z))",
    re.IGNORECASE,
)
# CSS Values 4.5: in quotes or bare. So long an address nobody writes, and a quote may be left open (again and again).
_URL: Final = re.compile(r"""\burl\(\s*(?:"([^"\n]{0,2000})"|'([^'\n]{0,2000})'|([^)\s"']*))""", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def concerns(content: Content, channel: str) -> list[str]:
    """Each in words that say what to do; none where there are none."""
    said = [content.subject, content.text] if channel == Channel.EMAIL else [content.text]
    found = [*_of_words(said, content.html)]
    if channel == Channel.EMAIL and content.html:
        found += _of_size(content.html)
        found += _of_links([*links_in(content.html), *_further_pictures_in(content.html)])
    return found


def _of_size(html: str) -> Iterator[str]:
    size = len(html.encode("utf-8", "replace"))
    if size > CLIPPED_AT:
        yield _(
            "The HTML is %(size)d KB. Gmail cuts off what comes after %(limit)d KB, the way to unsubscribe, too. "
            "Make it shorter, such as by leaving out styles that nothing uses."
        ) % {"size": round(size / 1024), "limit": CLIPPED_AT // 1024}


def _of_words(said: Iterable[str], html: str) -> Iterator[str]:
    """Words that another system would have filled in; in style sheets and comments nobody sees them."""
    seen = (piece.source for piece in pieces(html) if piece.kind in (TokenKind.TEXT, TokenKind.BEGIN))
    found = dict.fromkeys(each[0] for text in (*said, *seen) for each in _MERGE_WORDS.finditer(TAG.sub("", text)))
    if found:
        yield _(
            "%(words)s: other systems fill this in, Engage sends it as it stands. Here a first name is [[firstName]]."
        ) % {"words": _some(found)}


def _of_links(links: list[Link]) -> Iterator[str]:
    checks = (
        (
            _is_local, _("%(addresses)s: this is a file on your own computer, which nobody else can open. Upload it, "
            "and write its address, such as https://shop.example/logo.png."),
        ),
        (
            _is_cid, _("%(addresses)s: cid: names an attachment, and there is none. Upload the picture, and write its "
            "address."),
        ),
        (
            _is_without_scheme,
            _("%(addresses)s: without https:// in front, mail programs do not know where this leads."),
        ),
        (_is_at_home, _("%(addresses)s: only your own network reaches this address.")),
        (
            _is_plain_picture, _("%(addresses)s: pictures by http:// are not shown by many mail programs. Write https://."),
        ),
        (_is_script, _("%(addresses)s: mail programs run no scripts, so this link does nothing.")),
        (_is_empty, _("There are links that lead nowhere (href is empty).")),
    )  # fmt: skip
    for is_so, words in checks:
        found = dict.fromkeys(each.address for each in links if is_so(each))
        if found:
            yield words % {"addresses": _some(found)} if "%(addresses)s" in words else words


def _further_pictures_in(html: str) -> Iterator[Link]:
    """Pictures of style sheets, of style attributes and of srcset, as if each were in an img of its own."""
    for piece in pieces(html):
        conditional = piece.kind is TokenKind.COMMENT and piece.is_condition
        for each in within(html, piece) if conditional else (piece,):
            for address in _addresses_of_pictures(each):
                yield Link("img", "src", each.start, each.end, "", read_by_browsers(address))


def _addresses_of_pictures(piece: Piece) -> Iterator[str]:
    if piece.kind is TokenKind.RAW and piece.name == "style":
        yield from _in_css(piece.source)
    elif piece.kind is TokenKind.BEGIN:
        for each in piece.attributes:
            if each.name == "style":
                yield from _in_css(in_attribute(each.value))
            elif each.name == "srcset":
                yield from _in_srcset(in_attribute(each.value))


def _in_css(css: str) -> Iterator[str]:
    for found in _URL.finditer(css):
        if address := found[1] or found[2] or found[3]:
            yield address


def _in_srcset(value: str) -> Iterator[str]:
    """Each address; behind a blank come its descriptors, up to a comma (WHATWG HTML 4.8.4.2.1)."""
    is_address = True
    for word in value.split():
        address, comma = word, word.endswith(",")
        if not is_address:
            _descriptor, comma_within, address = word.partition(",")
            comma = bool(comma_within) and (comma or not address)
            is_address = bool(comma_within)
        if is_address and (address := address.strip(",")):
            yield address
            is_address = comma


def _is_local(link: Link) -> bool:
    return link.address.lower().startswith("file:") or _LOCAL_PATH.match(link.address) is not None


def _is_cid(link: Link) -> bool:
    return link.address.lower().startswith("cid:")


def _is_without_scheme(link: Link) -> bool:
    address = link.address
    if not address or address.startswith(("#", "//", "[[")) or _is_local(link):
        return False
    has_scheme = _SCHEME.match(address) and not re.match(r"[^/?#:]+\.[a-z]{2,}:\d", address, re.IGNORECASE)
    return not has_scheme and (link.is_followed or link.attribute == "src")


def _is_at_home(link: Link) -> bool:
    return _LOCAL_HOST.match(link.address) is not None and "[[" not in link.address.partition("//")[2].partition("/")[0]


def _is_plain_picture(link: Link) -> bool:
    is_picture = link.attribute == "background" or (link.attribute == "src" and link.element in ("img", "input"))
    return is_picture and link.address.lower().startswith("http://") and not _is_at_home(link)


def _is_script(link: Link) -> bool:
    return link.address.lower().startswith("javascript:")


def _is_empty(link: Link) -> bool:
    return link.is_followed and not link.address


def _some(found: Iterable[str]) -> str:
    shown = [each if len(each) <= LONGEST_SHOWN else f"{each[: LONGEST_SHOWN - 1]}…" for each in found]
    return ", ".join(shown[:MOST_SHOWN]) + (" …" if len(shown) > MOST_SHOWN else "")
