"""Texts as they are searched: without case, accents and what nobody sees, so that people are found by any spelling.

What PostgreSQL stores in `Contact.search` is folded by the same rules (contacts_fold, migration 0010); a test holds
both to each other. Pure.
"""

import re
import unicodedata
from typing import Final

# Zero-width signs, marks of direction, soft hyphens; selectors of how an emoji looks.
_ZERO_WIDTH: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff"
)
# Accents of Latin, Greek and Cyrillic, vowels of Hebrew and Arabic, the Arabic stretcher. Those of Indic and Thai
# writing make other words, and stay.
_MARKS: Final = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_GONE: Final = re.compile(f"[{_ZERO_WIDTH}{_MARKS}]")
UNSEEN: Final = re.compile(f"[{_ZERO_WIDTH}]")
# What stands for one letter where keyboards lack it.
_LETTERS: Final = str.maketrans(
    {
        "ß": "ss", "ẞ": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h",
        "ŧ": "t", "ŋ": "n", "ı": "i", "ĸ": "k", "ə": "e", "ς": "σ", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه",
    }
)  # fmt: skip
_TWO_LETTERS: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "æ": "ae", "ø": "oe", "đ": "dj"}
)  # fmt: skip
_APOSTROPHES: Final = re.compile("[\u0060\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u05f3\u2018\u2019\u201b\u2032\ua78c]")
DASHES: Final = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
# What is neither letter nor digit and stands in no ordinary name, address or number.
SYMBOLS: Final = re.compile("[!-&(-*,/:-?\\[-`{-~¡-¿×÷\u2016-\u2bff\u3001-\u303f\U0001f000-\U0001faff]")


def fold(text: str) -> str:
    """The text in lower case and plain letters, each symbol in it once more as a word that an index knows."""
    plain = _plain(text)
    words = sorted({symbol_word(each) for each in SYMBOLS.findall(plain)})
    return " ".join([plain.replace("'", ""), *words])


def fold_word(text: str) -> str:
    """As `fold`, without the words for symbols: what somebody looks for."""
    plain = _plain(text)
    return plain.replace("'", "") or plain


def in_two_letters(text: str) -> str:
    """The text with letters that some write as two: Jürgen, Juergen."""
    return unicodedata.normalize("NFC", text).lower().translate(_TWO_LETTERS)


def symbol_word(symbol: str) -> str:
    """The word by which a symbol is found: pg_trgm knows letters and digits only."""
    return f"zq{ord(symbol):x}q"


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", DASHES.sub("-", _APOSTROPHES.sub("'", text))).lower()
    return unicodedata.normalize("NFC", _GONE.sub("", apart).translate(_LETTERS))
