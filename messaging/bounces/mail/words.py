"""From bytes to text: character sets, transfer encodings, encoded words and HTML, however wrongly labelled.

Nothing here raises, and everything takes time in proportion to its input.
"""

import binascii
import codecs
import html
import re
from functools import lru_cache
from typing import Final

# RFC 2047 section 2; a language may follow the charset (RFC 2231 section 5). Blanks between two words do not count.
ENCODED_WORD: Final = re.compile(
    r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?\n]*+)\?=(?:\s+(?==\?[^?\s]+\?[bBqQ]\?))?"
)
# What senders write, and what they mean by it: the superset, since the label is often too narrow.
MEANT: Final = {
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "euc-cn": "gb18030", "hz-gb-2312": "hz",
    "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "euc-kr": "cp949", "euckr": "cp949", "ksc5601": "cp949",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
    "iso-2022-jp": "iso2022_jp_ext", "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-ms": "iso2022_jp_ext", "cp50220": "iso2022_jp_ext",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "iso_8859-1": "cp1252", "iso-8859-9": "cp1254", "iso-8859-11": "cp874",
    "tis-620": "cp874", "big5": "big5hkscs", "x-mac-roman": "mac_roman", "macintosh": "mac_roman",
    "iso-8859-8-i": "iso8859_8",
    "utf8": "utf-8", "unicode-1-1-utf-7": "utf-7",
}  # fmt: skip
# Codecs that hold a text; others of Python's (zip, punycode, idna) are no charsets, and some take quadratic time.
CHARSET: Final = re.compile(
    r"(utf|iso|windows|cp|koi|gb|big5|euc|shift|sjis|ks|us-ascii|ascii|latin|mac|tis|hz|ibm)[\w.\-]*", re.IGNORECASE
)
HIDDEN: Final = re.compile(r"<(style|script|head|!--)", re.IGNORECASE)
LINE_BREAKS: Final = re.compile(
    r"<(?:br|/?p|/?div|/?tr|/?li|/?h\d|/?table|/?ul|/?ol|hr|/?blockquote|/?pre|/?dd|/?dt)\b[^<>]*>", re.IGNORECASE
)
CELL: Final = re.compile(r"</?t[dh]\b[^<>]*>", re.IGNORECASE)
TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*>")
HAS_TAGS: Final = re.compile(r"<(html|body|p|br|div|table|span)\b", re.IGNORECASE)
BLANKS: Final = re.compile(r"[ \t\xa0]+")


def text_of(content: bytes, charset: str = "") -> str:
    """The text of `content`, labelled as `charset`; a label that cannot be right is not believed."""
    if content.isascii():
        if b"\x1b" in content and (b"\x1b$" in content or b"\x1b(" in content):
            return content.decode("iso2022_jp_ext", "replace")
        return content.decode(_codec(charset), "replace") if charset and _is_7_bit(charset) else content.decode("ascii")
    # Text of another charset is hardly ever valid UTF-8 by chance.
    codec = _codec(charset)
    for name in dict.fromkeys(("utf-8", codec, *(("cp1252",) if codec in ("utf-8", "ascii") else ()))):
        try:
            return content.decode(name)
        except (UnicodeError, LookupError):
            continue
    return content.decode("latin-1" if codec in ("utf-8", "ascii") else codec, "replace")


def _is_7_bit(charset: str) -> bool:
    return _codec(charset) in {"hz", "utf-7"}


@lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    name = charset.strip().lower()
    name = MEANT.get(name, name)
    if not CHARSET.fullmatch(name):
        return "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def unwrapped(content: bytes, encoding: str) -> bytes:
    """The content without its Content-Transfer-Encoding (RFC 2045 section 6); as it is where that is broken."""
    name = encoding.strip().lower()
    try:
        if name.startswith("base64"):
            return _base64(content)
        if name.startswith("quoted"):
            return binascii.a2b_qp(content)
    except (binascii.Error, ValueError):
        pass
    return content


def _base64(content: bytes) -> bytes:
    letters = content.translate(None, b" \t\n\r")
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", letters)
        usable = letters[: len(letters) - (len(letters) % 4 == 1)]
        return binascii.a2b_base64(usable + b"=" * (-len(usable) % 4))


def decoded(value: str) -> str:
    """A header's value with its encoded words read (RFC 2047)."""
    return ENCODED_WORD.sub(_word, value) if "=?" in value else value


def _word(match: re.Match[str]) -> str:
    charset, kind, letters = match.groups()
    content = letters.encode("utf-8", "surrogateescape")
    if kind in "qQ":
        return text_of(binascii.a2b_qp(content, header=True), charset)
    return text_of(unwrapped(content, "base64"), charset)


def without_tags(markup: str) -> str:
    """The words of an HTML text, a line for each block."""
    text = html.unescape(TAG.sub("", CELL.sub(" ", LINE_BREAKS.sub("\n", _without_hidden(markup).replace("\n", " ")))))
    return "\n".join(BLANKS.sub(" ", line).strip() for line in text.split("\n"))


def _without_hidden(markup: str) -> str:
    """Leaves out what no reader sees: style, script, head, comments."""
    kept: list[str] = []
    at = 0
    unended: set[str] = set()
    for match in HIDDEN.finditer(markup):
        name = match[1].lower()
        if match.start() < at or name in unended:
            continue
        end = re.compile("-->" if name == "!--" else f"</{name}\\s*>?", re.IGNORECASE).search(markup, match.end())
        if not end:
            unended.add(name)  # there is none further on either: to look again for each would be quadratic
            continue
        kept.append(markup[at : match.start()])
        at = end.end()
    return "".join([*kept, markup[at:]])
