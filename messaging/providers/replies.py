"""What people answer to an SMS: STOP and its like in other languages. Pure.

Only the wish is read out of it; anything else that somebody writes is kept as a report and changes nothing.
"""

import tomllib
import unicodedata
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from django.core.exceptions import ValidationError

from contacts.addresses import normalise_mobile
from messaging.providers.base import Reading
from messaging.statuses import Event, Kind

# A wish that begins with an unmistakable word may go on for so many words in all.
MOST_WORDS: Final = 4
LONGEST: Final = 160
REASONS: Final = {Kind.UNSUBSCRIBED: "unsubscribe", Kind.SUBSCRIBED: "resubscribe"}


def reading_of_reply(provider: str, number: str, text: str, at: datetime) -> Reading:
    """The wish of whoever has that number, or nothing. It is about the newest SMS to the number (recipients.py)."""
    kind = wish_in(text)
    e164 = e164_of(number)
    if kind is None or not e164:
        return Reading()
    # Each time it counts anew: somebody may change their mind, and again.
    event = Event(
        provider, kind, at, f"{e164} {kind} {at.isoformat()}",
        reason=REASONS[kind], diagnostic=text[:LONGEST], said_by=e164, recipient=e164,
    )  # fmt: skip
    return Reading([event])


def wish_in(text: str) -> Kind | None:
    """Whether it says stop or start, and nothing else that matters."""
    said = _plain(text)
    words = said.split()
    if said in _words("alone", "stop") or said in _words("begins", "stop"):
        return Kind.UNSUBSCRIBED
    if words and words[0] in _words("begins", "stop") and len(words) <= MOST_WORDS:
        return Kind.UNSUBSCRIBED
    return Kind.SUBSCRIBED if said in _words("alone", "start") else None


def e164_of(number: str) -> str:
    """A number as gateways write it, with or without a plus; "" where it is a name, or none at all."""
    digits = number.strip().removeprefix("+").removeprefix("00")
    if not (digits.isascii() and digits.isdigit()):
        return ""
    try:
        return normalise_mobile(number if number.startswith("0") else f"+{digits}")
    except ValidationError:
        return ""


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text[:LONGEST]).casefold()
    letters = "".join(sign for sign in apart if not unicodedata.combining(sign))
    words = (word.strip("\"'.,;:!?()[]<>*-_“”„’«»") for word in letters.split())
    return " ".join(filter(None, words))


@cache
def _words(how: str, wish: str) -> frozenset[str]:
    found = tomllib.loads(Path(__file__).with_name("replies.toml").read_text(encoding="utf-8"))
    return frozenset(found[how].get(wish, ()))
