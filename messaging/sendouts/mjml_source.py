"""MJML, from which the HTML of an email can be made: checked for what a person gets wrong, and turned into HTML.

mrml does the making; it passes over elements that it does not know, and says little about what is not closed. So that
is looked for here, and told with the line.
"""

import re
from difflib import get_close_matches
from typing import Final, NamedTuple

import mjml
from django.utils.translation import gettext as _

from messaging.sendouts.markup import TokenKind, pieces

# A comment once read is not read another way (?>): with many of them that would take for ever.
BEGINS: Final = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?><!--.*?-->\s*)*<mjml[\s>]", re.DOTALL)
# Each alternative begins with a character of its own, so it takes time linear in the length.
ELEMENT: Final = re.compile(r"""<!--.*?(?:-->|\Z)|<(/?)(mj[a-z-]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>""", re.DOTALL)
# What mrml goes into by recursion: all that is begun and not ended, also what is no MJML.
TAG: Final = re.compile(r"""<(/?)([A-Za-z][A-Za-z0-9:_-]*)(?>((?:[^<>"']|"[^"]*"|'[^']*')*)>)?""")
VOID: Final = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
})  # fmt: skip
# Emails take some thirty; at some thousands the stack of a thread would end, and the process with it.
DEEPEST: Final = 200
LONGEST: Final = 1_000_000
MOST_PROBLEMS: Final = 20
POSITION: Final = re.compile(r" in root template at position (\d+):\d+")

# https://documentation.mjml.io: where each may stand. None: anywhere that is not wrong.
_IN_COLUMN: Final = frozenset({"mj-column", "mj-hero"})
_IN_BODY: Final = frozenset({"mj-body", "mj-wrapper"})
_IN_HEAD: Final = frozenset({"mj-head"})
PLACES: Final[dict[str, frozenset[str] | None]] = {
    "mjml": frozenset({""}), "mj-head": frozenset({"mjml"}), "mj-body": frozenset({"mjml"}),
    "mj-attributes": _IN_HEAD, "mj-breakpoint": _IN_HEAD, "mj-font": _IN_HEAD, "mj-html-attributes": _IN_HEAD,
    "mj-preview": _IN_HEAD, "mj-style": _IN_HEAD, "mj-title": _IN_HEAD,
    "mj-section": _IN_BODY, "mj-wrapper": frozenset({"mj-body"}), "mj-hero": _IN_BODY,
    "mj-group": frozenset({"mj-section"}), "mj-column": frozenset({"mj-section", "mj-group"}),
    "mj-accordion": _IN_COLUMN, "mj-button": _IN_COLUMN, "mj-carousel": _IN_COLUMN, "mj-divider": _IN_COLUMN,
    "mj-image": _IN_COLUMN, "mj-navbar": _IN_COLUMN, "mj-social": _IN_COLUMN, "mj-spacer": _IN_COLUMN,
    "mj-table": _IN_COLUMN, "mj-text": _IN_COLUMN,
    "mj-accordion-element": frozenset({"mj-accordion"}), "mj-accordion-title": frozenset({"mj-accordion-element"}),
    "mj-accordion-text": frozenset({"mj-accordion-element"}), "mj-carousel-image": frozenset({"mj-carousel"}),
    "mj-navbar-link": frozenset({"mj-navbar"}), "mj-social-element": frozenset({"mj-social"}),
    "mj-raw": None, "mj-all": frozenset({"mj-attributes"}), "mj-class": frozenset({"mj-attributes"}),
    "mj-selector": frozenset({"mj-html-attributes"}), "mj-html-attribute": frozenset({"mj-selector"}),
}  # fmt: skip


MOST_TOLD: Final = 10
# So many elements up an end is looked for.
DEEPEST_LOOK: Final = 100
STRAY: Final = re.compile(r"<(?![A-Za-z/!?]).{0,10}")


class MjmlError(Exception):
    """`problems`: what is wrong, each with its line, in words that say what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Open(NamedTuple):
    """An element that was begun and not ended."""

    name: str
    line: int


def is_mjml(text: str) -> bool:
    return BEGINS.match(text) is not None


def html_of(source: str) -> str:
    """The HTML. Raises MjmlError. It brings in no file, and no fonts of strangers."""
    if problems := bounds_passed(source) or problems_in(source):
        raise MjmlError(problems)
    if is_crossed(source):
        raise MjmlError(html_problems_in(source))
    try:
        return mjml.mjml2html(source, fonts={})
    except ValueError as error:
        raise MjmlError(html_problems_in(source) or [_said(str(error), source)]) from error


def bounds_passed(source: str) -> list[str]:
    """What would take the library too long, or too deep."""
    if len(source) > LONGEST:
        return [_("The MJML is longer than %(most)d characters. Shorten it.") % {"most": LONGEST}]
    stack = list[str]()
    for each in TAG.finditer(source):
        ends, name, rest = each.group(1), each.group(2).lower(), each.group(3) or ""
        if not ends and name not in VOID and not rest.endswith("/"):
            stack.append(name)
        elif ends and stack and stack[-1] == name:
            stack.pop()
        if len(stack) > DEEPEST:
            line = line_of(source, each.start())
            said = _("Line %(line)d: more than %(most)d elements lie within each other, or are never closed.")
            return [said % {"line": line, "most": DEEPEST}]
    return []


def problems_in(source: str) -> list[str]:
    """The first problems, with their lines; more than a handful nobody reads."""
    found, stack = list[str](), list[Open]()
    line, counted_to = 1, 0
    for each in ELEMENT.finditer(source):
        if len(found) >= MOST_PROBLEMS:
            return found
        ends, name, rest = each.groups()
        if name is None:
            continue  # a comment
        line, counted_to = line + source.count("\n", counted_to, each.start()), each.start()
        if name == "mj-include":
            found.append(
                _("Line %(line)d: mj-include does not work here. Put in what it would bring.") % {"line": line}
            )
        elif name not in PLACES:
            found.append(_unknown(name, line))
        elif ends:
            found += _ended(name, line, stack)
        else:
            found += _misplaced(name, line, stack[-1].name if stack else "")
            if not rest.endswith("/"):
                stack.append(Open(name, line))
    return found + [_never_closed(each) for each in stack]


def is_crossed(source: str) -> bool:
    """Whether the end of one element stands where another one's belongs: the library takes it for that."""
    stack = list[str]()
    for each in pieces(source):
        if each.kind is TokenKind.BEGIN and each.name not in VOID and not each.source.endswith("/>"):
            stack.append(each.name)
        elif each.kind is TokenKind.END and each.name not in VOID and (not stack or stack.pop() != each.name):
            return True
    return False


def html_problems_in(source: str) -> list[str]:
    """What in the HTML within keeps it from being read: MJML is as strict as XML, and the library names no line.

    The first MOST_TOLD of it.
    """
    found, stack = list[tuple[int, str]](), list[tuple[str, int]]()
    for each in pieces(source):
        if len(found) >= MOST_TOLD:
            break
        if each.kind is TokenKind.TEXT and (sign := STRAY.match(each.source)):
            found.append(
                (
                    each.start,
                    _("write &lt; in place of a < that begins no tag (“%(said)s”)") % {"said": sign[0].strip()},
                )
            )
        elif each.kind is TokenKind.BEGIN:
            bare = next((one for one in each.attributes if one.value and not one.quote), None)
            if bare:
                found.append((bare.start, _("put the value of %(name)s in quotes") % {"name": bare.name}))
            if each.name not in VOID and not each.source.endswith("/>"):
                stack.append((each.name, each.start))
        elif each.kind is TokenKind.END and any(name == each.name for name, _start in stack[-DEEPEST_LOOK:]):
            while (last := stack.pop())[0] != each.name:
                found.append((last[1], _("<%(name)s> is never closed") % {"name": last[0]}))
        elif each.kind is TokenKind.END and each.name not in VOID:
            found.append((each.start, _("</%(name)s> ends nothing") % {"name": each.name}))
    found += [(start, _("<%(name)s> is never closed") % {"name": name}) for name, start in stack[:MOST_TOLD]]
    return [
        _("Line %(line)d: %(problem)s.") % {"line": line_of(source, start), "problem": problem}
        for start, problem in sorted(found)[:MOST_TOLD]
    ]


def _ended(name: str, line: int, stack: list[Open]) -> list[str]:
    if name not in [each.name for each in stack]:
        return [_("Line %(line)d: </%(name)s> ends nothing.") % {"line": line, "name": name}]
    left = []
    while (last := stack.pop()).name != name:
        left.append(_never_closed(last))
    return left


def _never_closed(element: Open) -> str:
    return _("Line %(line)d: <%(name)s> is never closed.") % {"line": element.line, "name": element.name}


def _misplaced(name: str, line: int, parent: str) -> list[str]:
    places = PLACES[name]
    if places is None or parent in places or parent == "mj-attributes":
        return []
    of = {"line": line, "name": name, "places": _(" or ").join(f"<{each}>" for each in sorted(places))}
    if places == {""}:
        return [_("Line %(line)d: <%(name)s> can only be the outermost.") % of]
    return [_("Line %(line)d: <%(name)s> must stand directly within %(places)s.") % of]


def _unknown(name: str, line: int) -> str:
    near = get_close_matches(name, PLACES, 1)
    of = {"line": line, "name": name, "near": near[0] if near else ""}
    if near:
        return _("Line %(line)d: there is no <%(name)s>. Did you mean <%(near)s>?") % of
    return _("Line %(line)d: there is no <%(name)s>.") % of


def _said(words: str, source: str) -> str:
    """The library's own words, with a line in place of its position (a number of bytes)."""
    at = POSITION.search(words)
    said = POSITION.sub("", words).replace(" in root template", "")
    if at is None:
        return _("The MJML cannot be read: %(words)s.") % {"words": said}
    before = source.encode()[: int(at.group(1))].decode("utf-8", "ignore")
    return _("Line %(line)d: %(words)s.") % {"line": line_of(source, len(before)), "words": said}


def line_of(source: str, place: int) -> int:
    return source.count("\n", 0, place) + 1
