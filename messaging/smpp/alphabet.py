"""How long an SMS is: its alphabet, and how many parts it travels in, each of which is paid for.

3GPP TS 23.038 6.2.1 (GSM 7 bit default alphabet and its extension) and TS 23.040 9.2.3.24 (parts). Pure.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# In the order of their septets; at 27 stands the escape to the extension.
_TABLE: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_BASIC: Final = frozenset(_TABLE.replace("\x1b", ""))
# These take an escape and a sign, two places that may not be parted.
_EXTENSION: Final = {
    "\f": 10, "^": 20, "{": 40, "}": 41, "\\": 47, "[": 60, "~": 61, "]": 62, "|": 64, "€": 101,
}  # fmt: skip
_EXTENDED: Final = frozenset(_EXTENSION)
_ALL_GSM_7: Final = _BASIC | _EXTENDED
_SEPTETS: Final = str.maketrans(
    {sign: chr(place) for place, sign in enumerate(_TABLE) if sign != "\x1b"}
    | {sign: f"\x1b{chr(place)}" for sign, place in _EXTENSION.items()}
)
# Signs that come into a text unseen, or with what is pasted, as people call them.
NAMES: Final = {
    "\t": gettext_lazy("tab"), "\u00a0": gettext_lazy("no-break space"), "\u00ad": gettext_lazy("soft hyphen"),
    "\u034f": gettext_lazy("combining grapheme joiner"), "\u2007": gettext_lazy("figure space"),
    "\u2009": gettext_lazy("thin space"), "\u200a": gettext_lazy("hair space"),
    "\u200b": gettext_lazy("zero width space"),
    "\u200c": gettext_lazy("zero width non-joiner"), "\u200d": gettext_lazy("zero width joiner"),
    "\u200e": gettext_lazy("left-to-right mark"), "\u200f": gettext_lazy("right-to-left mark"),
    "\u2028": gettext_lazy("line separator"), "\u2029": gettext_lazy("paragraph separator"),
    "\u202f": gettext_lazy("narrow no-break space"), "\u2060": gettext_lazy("word joiner"),
    "\u3000": gettext_lazy("ideographic space"), "\ufe0f": gettext_lazy("variation selector of an emoji"),
    "\ufeff": gettext_lazy("byte order mark"), "\u2018": gettext_lazy("curly quote"),
    "\u2019": gettext_lazy("curly apostrophe"),
    "\u201c": gettext_lazy("curly quote"), "\u201d": gettext_lazy("curly quote"), "\u201e": gettext_lazy("low quote"),
    "\u2013": gettext_lazy("en dash"), "\u2014": gettext_lazy("em dash"), "\u2026": gettext_lazy("ellipsis"),
}  # fmt: skip
GSM_7: Final = "GSM-7"
UCS_2: Final = "UCS-2"
# How much fits into an only part, and into each of several, whose headers take some of it.
ROOM: Final = {GSM_7: (160, 153), UCS_2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Length:
    """`units` are septets in GSM-7 and 16-bit units in UCS-2; `left` of them are free in the last part.

    `costly` are the signs that GSM-7 lacks: without them the message would be shorter.
    """

    alphabet: str
    units: int
    parts: int
    left: int
    costly: tuple[str, ...] = ()
    # The same in words: what cannot be seen, or is easily taken for another sign, by its name and place.
    named: tuple[str, ...] = ()


def composed(text: str) -> str:
    """The text with letter and accent as one sign where there is one (NFC): it looks the same and takes less room."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def length_of(text: str) -> Length:
    """What sending this text takes. An empty text is one part."""
    costly = _costly(text)
    alphabet = UCS_2 if costly else GSM_7
    parts = parts_of(text)
    units = sum(_weight(sign, alphabet) for sign in text)
    last = sum(_weight(sign, alphabet) for sign in parts[-1])
    return Length(alphabet, units, len(parts), ROOM[alphabet][len(parts) > 1] - last, costly, _named(text, costly))


def alphabet_of(text: str) -> str:
    return UCS_2 if _costly(text) else GSM_7


def parts_of(text: str) -> list[str]:
    """The text as it is cut into parts; a sign that takes two places is never parted."""
    alphabet = alphabet_of(text)
    alone, of_several = ROOM[alphabet]
    # Most are short; this is a fraction of the work.
    if (len(text.encode("utf-16-be", "replace")) // 2 if alphabet == UCS_2 else len(in_septets(text))) <= alone:
        return [text]
    weights = [_weight(sign, alphabet) for sign in text]
    cuts, used = [0], 0
    for at, weight in enumerate(weights):
        if used + weight > of_several:
            cuts.append(at)
            used = 0
        used += weight
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def in_septets(text: str) -> bytes:
    """The text in GSM-7, an octet for each septet. What GSM-7 lacks becomes a question mark."""
    return text.translate(_SEPTETS).encode("latin-1", "replace")


def _costly(text: str) -> tuple[str, ...]:
    """The signs that GSM-7 lacks, each once."""
    if _ALL_GSM_7.issuperset(text):
        return ()
    return tuple(dict.fromkeys(sign for sign in text if sign not in _ALL_GSM_7))


def _named(text: str, signs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_in_words(text, sign) for sign in signs)


def _in_words(text: str, sign: str) -> str:
    """A letter is shown. Of a blank, a mark or punctuation it is said which one: it looks like another or like none."""
    kind = unicodedata.category(sign)
    if kind[0] == "L" and unicodedata.normalize("NFKC", sign) == sign:
        return sign
    name = str(NAMES.get(sign) or unicodedata.name(sign, "").lower() or _("sign without a name"))
    code = f"U+{ord(sign):04X}"
    if kind[0] in "ZC" or kind in ("Mn", "Me"):
        of = {"name": name, "code": code, "word": _word_before(text, sign)}
        return _("%(name)s (%(code)s), after “%(word)s”") % of if of["word"] else _("%(name)s (%(code)s)") % of
    return f"{sign} ({name}, {code})"


def _word_before(text: str, sign: str) -> str:
    before = text[: text.index(sign)].rsplit(maxsplit=1)
    return "".join(each for each in before[-1] if each.isprintable())[-20:] if before else ""


def _weight(sign: str, alphabet: str) -> int:
    if alphabet == GSM_7:
        return 2 if sign in _EXTENDED else 1
    return 2 if ord(sign) > 0xFFFF else 1
