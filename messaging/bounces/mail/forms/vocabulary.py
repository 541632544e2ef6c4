"""The words of bounces in words.toml, compiled."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import re2

FILE: Final = Path(__file__).with_name("words.toml")
# Octets for one automaton; a list with many gaps (".{0,60}") takes more than re2's 8 MB.
MEMORY: Final = 64 << 20


class WordList:
    """One list of words.toml as an automaton: its time does not depend on the number of entries.

    A Latin word is found at its begin only: "full" in "is full", not in "useful".
    """

    __slots__ = ("_anywhere", "_first", "_line", "_place")

    def __init__(self, entries: list[str], *, ends: bool) -> None:
        """`ends`: the word must end the text, but for up to three marks."""
        end = r"[^\pL\pN]{0,3}$" if ends else ""
        latin = "|".join(entry for entry in entries if entry.isascii())
        other = "|".join(entry for entry in entries if not entry.isascii())
        both = f"(?:{latin}|{other})" if other else f"(?:{latin})"
        anywhere = f"(?:^|[^a-z]){both}{end}" + (f"|(?:{other}){end}" if other else "")
        self._first = _yes_or_no(f"^{both}{end}")
        self._anywhere = _yes_or_no(anywhere)
        self._line = re2.compile(f"(?m)^[ \\t]*{both}{end}", _options())
        self._place = re2.compile(anywhere, _options())

    def within(self, text: str) -> bool:
        """Whether one of these words is in the text."""
        return bool(self._anywhere.Match(text.encode("utf-8", "replace")))

    def begin(self, text: str) -> bool:
        """Whether the text begins with one of these words."""
        return bool(self._first.Match(text.encode("utf-8", "replace")))

    def first_line(self, text: str) -> int:
        """The number of the first line that begins with one of these words; -1 where none does."""
        octets = text.encode("utf-8", "replace")
        found = self._line.search(octets)
        return octets.count(b"\n", 0, found.start()) if found else -1

    def place(self, text: str) -> int:
        """Where the first of these words begins in the text, or the mark before it; -1 where there is none."""
        octets = text.encode("utf-8", "replace")
        found = self._place.search(octets)
        return len(octets[: found.start()].decode("utf-8", "ignore")) if found else -1


def _options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    options.max_mem = MEMORY
    return options


def _yes_or_no(pattern: str) -> re2.Set:
    """A set of one: it says only whether, and so needs no object for a match."""
    automaton = re2.Set.SearchSet(_options())
    automaton.Add(pattern)
    automaton.Compile()
    return automaton


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The lists of words.toml; the file says what each is for."""

    daemon: WordList
    subject: WordList
    opening: WordList
    failure: WordList
    delayed: WordList
    gave_up: WordList
    copy: WordList
    contact: WordList
    recipient: WordList
    field: WordList
    not_recipient: WordList
    reason: WordList
    closing: WordList
    not_a_bounce: WordList


# These end what stands before an address.
LABELS: Final = frozenset({"recipient", "not_recipient", "field", "reason"})


@cache
def vocabulary() -> Vocabulary:
    """The file, read and compiled once."""
    lists: dict[str, list[str]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Vocabulary(**{name: WordList(entries, ends=name in LABELS) for name, entries in lists.items()})
