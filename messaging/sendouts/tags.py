"""Personalisation: `[[firstName]]`, and `[[firstName,customer]]` with what to say to whom we know no first name of.

A text is compiled once and filled in for each contact. Pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from typing import Final

from django.utils.translation import gettext as _

# What may stand in a tag, and the key of the value that it is filled with (values.py).
NAMES: Final = (
    "firstName", "lastName", "fullName", "email", "mobile", "country", "language", "unsubscribeUrl",
)  # fmt: skip
_BY_LOWER: Final = {name.lower(): name for name in NAMES}
# Not across lines, so that one forgotten bracket does not swallow the letter.
TAG: Final = re.compile(r"\[\[([^\[\]\n]*)\]\]")
_HALF: Final = re.compile(r"\[\[|\]\]")

Values = Mapping[str, str]
Quote = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Tag:
    """A place to fill in, and what stands there where the contact has nothing for it.

    `quote`: how it is written where it stands, such as in an address; None: as the text around it is.
    """

    name: str
    otherwise: str = ""
    quote: Quote | None = None

    def value(self, values: Values) -> str:
        return values.get(self.name, "") or self.otherwise


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled text: what is the same for everybody, and tags."""

    pieces: tuple[str | Tag, ...]

    @classmethod
    def of(cls, pieces: Iterable[str | Tag]) -> "Text":
        """Of pieces as they come: what is the same for everybody is in as few as can be."""
        joined = list[str | Tag]()
        for piece in pieces:
            if joined and isinstance(piece, str) and isinstance(joined[-1], str):
                joined[-1] += piece
            elif piece:
                joined.append(piece)
        return cls(tuple(joined))

    @property
    def tags(self) -> tuple[Tag, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Tag))

    def fill(self, values: Values, quote: Quote = str) -> str:
        """With the values in their places, each through `quote` (html.escape for HTML) or what its tag has."""
        return "".join(
            piece if isinstance(piece, str) else (piece.quote or quote)(piece.value(values)) for piece in self.pieces
        )


class TagError(ValueError):
    """The text has tags that are none; `problems` says of each what is wrong, and what to do."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(self.problems))


def _made(name: str, otherwise: str, _at: int) -> Tag:
    return Tag(name, otherwise)


def compiled(text: str, made: Callable[[str, str, int], Tag] = _made) -> Text:
    """The text, ready to be filled in. Raises TagError, which names everything that is wrong at once.

    `made` makes a tag of its name, of what to say for want of a value, and of where it stands.
    """
    pieces, problems, at = list[str | Tag](), list[str](), 0
    for found in TAG.finditer(text):
        between = text[at : found.start()]
        problems += _halves(between)
        pieces.append(between)
        name, _comma, otherwise = found.group(1).partition(",")
        known = name_in(found)
        if known is None:
            problems.append(_unknown(found.group(), name.strip()))
        else:
            pieces.append(made(known, otherwise.strip(), found.start()))
        at = found.end()
    rest = text[at:]
    problems += _halves(rest)
    if problems:
        raise TagError(problems)
    return Text.of([*pieces, rest])


def name_in(found: re.Match[str]) -> str | None:
    """Which value a match of TAG asks for; None where there is no such tag."""
    return _BY_LOWER.get(found.group(1).partition(",")[0].strip().lower())


def plainly(text: str) -> str:
    """A text with tags for whoever looks at it without a contact: what stands there for want of a value."""
    return TAG.sub(lambda found: found.group(1).partition(",")[2].strip() or "…", text) if "[[" in text else text


def _halves(text: str) -> list[str]:
    if _HALF.search(text) is None:
        return []
    return [_("There is a [[ without its ]], or the other way round. A tag looks like this: [[firstName,customer]].")]


def _unknown(tag: str, name: str) -> str:
    near = get_close_matches(name.lower(), list(_BY_LOWER), n=1)
    if near:
        return _("%(tag)s is not known. Did you mean [[%(near)s]]?") % {"tag": tag, "near": _BY_LOWER[near[0]]}
    known = ", ".join(f"[[{each}]]" for each in NAMES)
    return _("%(tag)s is not known. There are: %(known)s.") % {"tag": tag, "known": known}


def html_quoted(value: str) -> str:
    """A value as it stands in HTML, in text as in a quoted attribute."""
    return escape(value, quote=True)
