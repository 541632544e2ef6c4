"""How long an SMS is: its alphabet, and how many parts it travels in, each of which is paid for.

3GPP TS 23.038 6.2.1 (GSM 7 bit default alphabet and its extension) and TS 23.040 9.2.3.24 (parts). Pure.
"""

from dataclasses import dataclass
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# These take an escape and a sign, two places that may not be parted.
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
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
    costly = tuple(dict.fromkeys(sign for sign in text if sign not in _BASIC and sign not in _EXTENDED))
    alphabet = UCS_2 if costly else GSM_7
    weights = [_weight(sign, alphabet) for sign in text]
    alone, of_several = ROOM[alphabet]
    if sum(weights) <= alone:
        return Length(alphabet, sum(weights), 1, alone - sum(weights), costly)
    parts, used = 1, 0
    for weight in weights:
        if used + weight > of_several:
            parts, used = parts + 1, 0
        used += weight
    return Length(alphabet, sum(weights), parts, of_several - used, costly)


def _weight(sign: str, alphabet: str) -> int:
    if alphabet == GSM_7:
        return 2 if sign in _EXTENDED else 1
    return 2 if ord(sign) > 0xFFFF else 1
