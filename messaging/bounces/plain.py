"""A server's words in one plain form, in which rules look for them. Pure, and linear in the length.

Lower case, no accents, words apart by one blank, sentences apart by ";". Addresses, host names and URLs stay words of
their own, so that no rule finds its words inside of them: every pattern begins and ends at a blank.
"""

import html
import re
import unicodedata
from typing import Final

# A diagnostic longer than this says nothing more, but would cost time.
LONGEST: Final = 4_000
_BLANKS: Final = '<>()[]{}"*|,#=\t\r\n\v\f\\\u00a0\u3000«»„“”\u200b'
_ENDS: Final = "!?。"
_TABLE: Final = {ord(c): " " for c in _BLANKS} | {ord(c): ";" for c in _ENDS} | dict.fromkeys(map(ord, "'`´’‘\u00ad"))
# What NFKD leaves as it is.
_LETTERS: Final = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "æ": "ae", "đ": "d", "ı": "i"})
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_TAGS: Final = re.compile(
    r"</?(?:a|b|br|p|div|span|td|tr|th|table|tbody|font|html|body|head|i|u|h\d|strong|em|ul|li|ol|pre|tt|img|hr|center|"
    r"title|meta|small)\b[^>@]*>"
)
# Chinese, Japanese and Korean.
_WITHOUT_BLANKS: Final = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff]")
# What mail systems put around any failure, whatever the cause, and what would mislead.
_FRAMES: Final = (
    "did not receive your message",
    "did not receive this message",
    "did not receive a copy of your message",
    # vpopmail, where the user's folder is missing, but the domain has somewhere else to put the mail.
    "user does not exist but will deliver to",
    "unknown address error",
    "other mail system problem",
    "other network problem",
    "message too old",
    "remote server returned an error",
    "rejected by the server for the recipient domain",
    "delivery temporarily suspended",
    "to reduce the amount of spam sent to gmail",
    "protect our users from spam",
)


def plain(text: str, *codes: str) -> str:
    """The words between blanks, without the given codes, of which the first begins a sentence.

    Of a long text only the beginning.
    """
    words = text[:LONGEST].lower()
    if not words.isascii():
        words = _unaccented(words)
    if "&" in words:
        words = html.unescape(words)
    if "</" in words or "<br" in words:
        words = _TAGS.sub(" ", words)
    words = words.translate(_TABLE) + " "
    words = (
        words.replace(" said: ", " ; ")
        .replace("->", " ; ")
        .replace(". ", " ; ")
        .replace("...", " ")
        .replace(";", " ; ")
        .replace(": ", " ")
    )
    words = " " + " ".join(words.replace(" - ", " ").split()) + " "
    if codes and codes[0]:
        # What stands before the reply code speaks of someone else: "host mx.example.org: 550 unknown user".
        before, code, rest = words.partition(f" {codes[0]}")
        words = f"{before} ;{code}{rest}" if before and rest[:1] in (" ", "-") else words
    for code in codes:
        if code:
            words = words.replace(f" {code}-", " ").replace(f" {code} ", " ")
    for frame in _FRAMES:
        if frame in words:
            words = words.replace(frame, " ")
    return words


def _unaccented(words: str) -> str:
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", words)).translate(_LETTERS)


def plain_pattern(pattern: str) -> str:
    """A pattern of the rules with its letters in the plain form; what a language without blanks says has no bounds."""
    letters = pattern if pattern.isascii() else _unaccented(pattern)
    return letters if _WITHOUT_BLANKS.search(letters) else f" (?:{letters}) "
