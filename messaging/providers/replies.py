"""What people answer to an SMS: STOP and its like in other languages. Pure.

Only the wish is read out of it; anything else that somebody writes is kept as a report and changes nothing.
"""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ValidationError

from contacts.addresses import known_mobile
from messaging.providers.base import ParsedReport
from messaging.status.order import Event, Kind

# STOP with the name of whom it is meant for has at most so many words.
MOST_WORDS: Final = 3
LONGEST: Final = 320
# A word may be written wrong if it has so many letters, and is meant for one of so many; from LONG on by two of them.
SHORTEST_MISSPELT, SHORTEST_KNOWN, LONG = 7, 8, 10
# What Unicode does not take apart.
LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ı": "i", "ð": "d", "þ": "th"})
# Accents, joiners, and the signs that choose how an emoji looks.
UNSEEN: Final = frozenset({"Mn", "Me", "Cf", "Sk"})
SPELLED: Final = re.compile(r"(?<!\w)\w(?:[ .\-]\w){3,}(?!\w)")
DRAWN_OUT: Final = re.compile(r"([^\W\d])\1{2,}")
END: Final = re.compile(r"[.!?;:…\n\r]|[^\w\s'’`´,\-/()\"“”„«»*_]")
REASONS: Final = {Kind.UNSUBSCRIBED: "unsubscribe", Kind.SUBSCRIBED: "resubscribe"}


def parse_reply(provider: str, number: str, text: str, at: datetime) -> ParsedReport:
    """The wish of whoever has that number, or nothing. It is about the newest SMS to the number (recipients.py)."""
    kind = consent_change_in(text)
    e164 = e164_of(number)
    if kind is None or not e164:
        return ParsedReport()
    # Each time it counts anew: somebody may change their mind, and again.
    event = Event(
        provider, kind, at, f"{e164} {kind} {at.isoformat()}",
        reason=REASONS[kind], diagnostic=text[:LONGEST], said_by=e164, recipient=e164,
    )  # fmt: skip
    return ParsedReport([event])


def consent_change_in(text: str) -> Kind | None:
    """Whether it says stop or start, and nothing else that matters. The words are data (replies.toml).

    Any sentence of it may say so: of words that mean it, with courtesies and words about messages beside them, and
    nothing that turns it round; or a word that means it, with the name of whom it is meant for ("STOP ACME").
    """
    sentences = _sentences(text)
    if any(map(_is_stop, sentences)) or (len(sentences) == 1 and "?" not in text and _names_whom(sentences[0])):
        return Kind.UNSUBSCRIBED
    meant = [word for words in sentences for word in words if word not in _words("around", "polite")]
    return Kind.SUBSCRIBED if len(meant) == 1 and meant[0] in _words("start", "words") else None


def _is_stop(words: Sequence[str]) -> bool:
    rest = _without_phrases(words)
    is_meant = len(rest) < len(words)
    others = list[str]()
    for place, word in enumerate(rest):
        if _is_stop_word(word):
            if place and rest[place - 1] in _words("against", "before"):
                return False
            is_meant = True
        elif word not in _words("around", "polite"):
            others.append(word)
    about = _words("around", "messages") | _words("around", "between")
    if is_meant:
        return not any(word in _words("against", "words") or word not in about for word in others)
    # Words that mean other things as well: by themselves, or first of what is about messages.
    if not others or others[0] not in _words("stop", "alone"):
        return False
    return len(others) == 1 or (set(others[1:]) <= about and not _words("around", "messages").isdisjoint(others[1:]))


def _names_whom(words: Sequence[str]) -> bool:
    """STOP and a name or two, such as a brand's."""
    if not 2 <= len(words) <= MOST_WORDS or words[0] not in _words("stop", "words"):
        return False
    known = _words("around", "between") | _words("against", "words") | _words("against", "after")
    return not any(word in known or word.endswith(_endings()) for word in words[1:])


def _without_phrases(words: Sequence[str]) -> list[str]:
    text = f" {' '.join(words)} "
    for phrase in _phrases():
        text = text.replace(f" {phrase} ", " ")
    return text.split()


def _is_stop_word(word: str) -> bool:
    known = _words("stop", "words")
    if word in known:
        return True
    return len(word) >= SHORTEST_MISSPELT and any(_is_misspelt(word, each) for each in known if each[:2] == word[:2])


def _is_misspelt(word: str, known: str) -> bool:
    """The first two letters tell, as in "abmelden" and "anmelden", so they are right."""
    if len(known) < SHORTEST_KNOWN:
        return False
    return _distance(word, known) <= (2 if len(known) >= LONG else 1)


def _distance(one: str, other: str) -> int:
    """How many letters are too many, missing, wrong or swapped with the next one."""
    before, last = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, theirs in enumerate(other, 1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != theirs))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == theirs:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]


def e164_of(number: str) -> str:
    """A number as gateways write it, with or without a plus; "" where it is a name, or none at all."""
    digits = number.strip().removeprefix("+").removeprefix("00")
    if not (digits.isascii() and digits.isdigit()):
        return ""
    try:
        return known_mobile(number if number.startswith("0") else f"+{digits}")
    except ValidationError:
        return ""


def _sentences(text: str) -> list[list[str]]:
    """The words of each sentence, in small letters without accents; a line, and an emoji, ends one as well."""
    for sign in _words("stop", "signs"):
        text = text.replace(sign, " stop. ")
    apart = unicodedata.normalize("NFKD", text[:LONGEST].casefold()).translate(LETTERS)
    letters = "".join(sign for sign in apart if unicodedata.category(sign) not in UNSEEN)
    # S T O P, and stoooop.
    letters = SPELLED.sub(lambda found: re.sub(r"\W", "", found[0]), letters)
    letters = DRAWN_OUT.sub(r"\1", letters)
    found = ["".join(sign if sign.isalnum() else " " for sign in each).split() for each in END.split(letters)]
    return [words for words in found if words]


@cache
def _words(table: str, name: str) -> frozenset[str]:
    return frozenset(_data()[table][name])


@cache
def _phrases() -> list[str]:
    """The longest first."""
    return sorted(_data()["stop"]["phrases"], key=len, reverse=True)


@cache
def _endings() -> tuple[str, ...]:
    return tuple(_data()["against"]["after_endings"])


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("replies.toml").read_text(encoding="utf-8"))
