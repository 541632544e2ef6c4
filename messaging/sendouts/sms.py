"""How long an SMS is: its alphabet, and how many parts it travels in, each of which is paid for.

3GPP TS 23.038 6.2.1 (GSM 7 bit default alphabet and its extension) and TS 23.040 9.2.3.24 (parts). Pure.
"""

from dataclasses import dataclass
from typing import Final

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


def length_of(text: str) -> Length:
    """What sending this text takes. An empty text is one part."""
    costly = _costly(text)
    alphabet = UCS_2 if costly else GSM_7
    parts = parts_of(text)
    units = sum(_weight(sign, alphabet) for sign in text)
    last = sum(_weight(sign, alphabet) for sign in parts[-1])
    return Length(alphabet, units, len(parts), ROOM[alphabet][len(parts) > 1] - last, costly)


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


def _weight(sign: str, alphabet: str) -> int:
    if alphabet == GSM_7:
        return 2 if sign in _EXTENDED else 1
    return 2 if ord(sign) > 0xFFFF else 1
