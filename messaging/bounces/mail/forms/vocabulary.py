"""The words of bounces in words.toml, compiled."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import re2

FILE: Final = Path(__file__).with_name("words.toml")


class Words:
    """One list of words.toml. Entries of other scripts are only looked for where there are other letters than ASCII.

    A word is found at its begin only: "full" in "is full", not in "useful".
    """

    __slots__ = ("_anywhere", "_first", "_other", "_place")

    def __init__(self, entries: list[str], *, ends: bool) -> None:
        end = r"\W{0,3}$" if ends else ""
        latin = "|".join(entry for entry in entries if entry.isascii())
        other = "|".join(entry for entry in entries if not entry.isascii())
        self._anywhere = _automaton(rf"(?:^|[^a-zA-Z])(?:{latin}){end}")
        self._first = _automaton(rf"^(?:{latin}){end}")
        self._place = re.compile(rf"(?<![a-z])(?:{latin}){end}", re.IGNORECASE)
        self._other = re.compile(rf"(?:{other}){end}", re.IGNORECASE) if other else None

    def search(self, text: str) -> bool:
        """Whether one of these words is in the text."""
        if self._anywhere.Match(text.encode("utf-8", "replace")):
            return True
        return bool(self._other and not text.isascii() and self._other.search(text))

    def match(self, text: str) -> bool:
        """Whether the text begins with one of these words."""
        if self._first.Match(text.encode("utf-8", "replace")):
            return True
        return bool(self._other and not text.isascii() and self._other.match(text))

    def place_in(self, text: str) -> int:
        """Where the first of these words begins in the text; -1 where none is."""
        if not self.search(text):
            return -1
        found = self._place.search(text) or (self._other.search(text) if self._other else None)
        return found.start() if found else -1


def _automaton(pattern: str) -> re2.Set:
    """One for all of a list: Python's own patterns try one word after the other at each letter."""
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    automaton = re2.Set.SearchSet(options)
    automaton.Add(pattern)
    automaton.Compile()
    return automaton


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
