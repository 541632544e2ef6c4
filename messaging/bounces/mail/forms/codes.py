"""The codes in what a server said."""

import re
from typing import Final

# RFC 5321 section 4.2, where a reply begins: at the begin, after a blank or a mark; RFC 2034: then the enhanced code.
REPLY: Final = re.compile(
    r"(?:^|(?<=[\s:;>\"'(\[#<=]))([45][0-5]\d)(?:[ \-:,.;]{1,3}|(?=[\])>\"'#]|$))(?:[#('\"<]{0,2}([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d))?"
)
# qmail and Exchange write the enhanced code behind the words: "(#5.1.1)", "#5.1.1".
MARKED: Final = re.compile(r"#\s?([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
STATUS: Final = re.compile(r"(?<![\w.\-/#])[#(\[<]{0,2}([45]\.\d{1,3}\.\d{1,3})(?![\w\-/]|[\d.]*\d)")
# What looks like a reply code and is none: "after 500 hours", "450 KB", "port 587".
AMOUNT: Final = re.compile(
    r"\s*(?:kb?|mb?|gb?|bytes?|hours?|days?|seconds?|secs?|minutes?|messages?|times|attempts?|lines?)\b", re.IGNORECASE
)


def codes_in(text: str) -> tuple[str, str]:
    """The reply code and the enhanced status code in the words of a server; each may be empty."""
    reply = status = ""
    if "4" not in text and "5" not in text:
        return reply, status
    for match in REPLY.finditer(text):
        if AMOUNT.match(text, match.end(1)):
            continue
        reply = reply or match[1]
        if match[2]:
            return match[1], match[2]
    marked = MARKED.search(text) or STATUS.search(text)
    status = marked[1] if marked else ""
    return reply, status
