"""The words of bounces in words.toml, compiled."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("words.toml")


class Words:
    """One list of words.toml. Entries of other scripts are only looked for where there are other letters than ASCII.

    A word is found at its begin only, which is also what makes the search fast: "full" in "is full", not in "useful".
    """

    __slots__ = ("_latin", "_other")

    def __init__(self, entries: list[str], *, ends: bool) -> None:
        end = r"\W{0,3}$" if ends else ""
        latin = "|".join(entry for entry in entries if entry.isascii())
        other = "|".join(entry for entry in entries if not entry.isascii())
        self._latin = re.compile(rf"(?<![a-z])(?:{latin}){end}", re.IGNORECASE)
        self._other = re.compile(rf"(?:{other}){end}", re.IGNORECASE) if other else None

    def search(self, text: str) -> re.Match[str] | None:
        """The first of these words in the text."""
        found = self._latin.search(text)
        return found if found or not self._other or text.isascii() else self._other.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        """The word with which the text begins."""
        found = self._latin.match(text)
        return found if found or not self._other or text.isascii() else self._other.match(text)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The lists of words.toml; the file says what each is for."""

    daemon: Words
    subject: Words
    opening: Words
    failure: Words
    delayed: Words
    gave_up: Words
    copy: Words
    contact: Words
    recipient: Words
    field: Words
    not_recipient: Words
    reason: Words
    closing: Words
    not_a_bounce: Words


# These end what stands before an address.
LABELS: Final = frozenset({"recipient", "not_recipient", "field", "reason"})


@cache
def vocabulary() -> Vocabulary:
    """The file, read and compiled once."""
    lists: dict[str, list[str]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Vocabulary(**{name: Words(entries, ends=name in LABELS) for name, entries in lists.items()})
