"""A cell of somebody's list -> the addresses in it, without what spreadsheets, mail programs and web pages put around
them. Pure: no database.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts.addresses import DIRECTIONS, UNSEEN, normalise_email, normalise_mobile
from contacts.models import Channel

LONGEST_CELL: Final = 1_000
LEAST_DIGITS: Final = 7
# What the normalisation would leave as it is: nearly every line, at a hundredth of the time. Not what may be a domain
# beyond ASCII, written in ASCII: its third and fourth signs are hyphens (RFC 5891 2.3.1).
PLAIN_EMAIL: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9_+-]|\.(?![.@])){0,62}@(?:(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,20}",
    re.ASCII,
)
PLAIN_MOBILE: Final = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
LIKE_EMAIL: Final = re.compile(r"[^@\s]@")
SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
# A number that a spreadsheet took for a sum: 46701234567.0 and 46,701,234,567.
_AS_A_SUM: Final = re.compile(r"\d{7,15}[.,]0{1,2}|\d{1,3}(?:,\d{3}){2,4}(?:\.0{1,2})?")
_BLANKS: Final = dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_AT_SIGNS: Final = {0xFF20: "@", 0xFE6B: "@"}
_MARKS: Final = str.maketrans({**UNSEEN, **_AT_SIGNS, **dict.fromkeys("\u200c\u200d" + DIRECTIONS), **_BLANKS})
# A formula whose value is what stands in it: ="+46701234567", =+46701234567, =anna@example.org.
_FORMULA: Final = re.compile(r'=\s*(?:"([^"]*)"|(?=[+\w])([^"()]*))')
_SCHEME: Final = re.compile(r"(?:mailto|smtp|sip|e-?mail|e-?post|tel|sms|mob(?:il)?)\s*:\s*", re.IGNORECASE)
_IN_BRACKETS: Final = re.compile(r"<\s*(?:mailto:)?([^<>\s]*@[^<>\s]*)\s*>", re.IGNORECASE)
_BETWEEN: Final = re.compile('[\\s,;|<>()\\[\\]"\u201c\u201d\u201e\u00ab\u00bb]+')
# What people and mail programs put beside an address.
_BESIDE: Final = "'.:*\"`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
_NUMBER: Final = re.compile(r"[+(]?\d[\d\s()./\u2010-\u2015-]*")
_DATE: Final = re.compile(
    r"(?:\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ]\d{4}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2})(?:[\sT].*)?"
)
# A day without dashes, and what some countries number their people by.
_DAY_OR_PERSON: Final = re.compile(
    r"(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d(?:[-+]?\d{4})?|\d\d(?:0\d|1[0-2])[0-3]\d[-+]\d{4}"
)
_AMOUNT: Final = re.compile(r"\d{1,3}(?:[., ]\d{3})*[.,]\d{1,2}|\d+[.,]\d{1,2}")

Address = tuple[str, str]


def visible(text: str) -> str:
    """The text without what nobody sees, and with plain blanks."""
    return text if text.isascii() else text.translate(_MARKS)


def clean(cell: str) -> str:
    """The cell without what is not meant: blanks of all kinds, a formula around a value, and the apostrophe that Excel
    puts before a number or a formula that it shall leave alone."""
    cell = visible(cell if "@" in cell else cell[:LONGEST_CELL]).strip()
    if cell.startswith("=") and (formula := _FORMULA.fullmatch(cell)):
        cell = (formula[1] if formula[1] is not None else formula[2]).strip()
    return cell.removeprefix("'").strip()


def is_like_number(cell: str) -> bool:
    """Whether it may be a phone number: not if it is a day, an amount of money or a person's number."""
    said = _without_scheme(cell)
    if not _NUMBER.fullmatch(said) or sum(map(str.isdigit, said)) < LEAST_DIGITS:
        return False
    return not (_DATE.fullmatch(said) or _DAY_OR_PERSON.fullmatch(said) or _AMOUNT.fullmatch(said))


def emails_in(cell: str) -> tuple[list[Address], list[str]]:
    """The addresses in a cell, such as `Anna <anna@example.org>, bert@example.org`; and what is wrong with others."""
    lower = cell.lower()
    if PLAIN_EMAIL.fullmatch(lower):
        return [(Channel.EMAIL.value, lower)], []
    given = _IN_BRACKETS.findall(cell)
    outside = _IN_BRACKETS.sub(",", cell) if given else cell
    given += _apart(outside)
    found, problems = list[Address](), list[str]()
    for each in given or [cell]:
        try:
            found.append((Channel.EMAIL.value, _email(each)))
        except ValidationError as error:
            problems.append(str(error.messages[0]))
    return list(dict.fromkeys(found)), problems


def _apart(text: str) -> list[str]:
    """What looks like an address in the text. By itself it may have signs in it that stand between others."""
    parts = [each for each in _BETWEEN.split(text) if LIKE_EMAIL.search(each)]
    if text.count("@") != 1:
        return parts
    with suppress(ValidationError):
        return [_email(text)]
    return [text] if any(each.endswith("@") for each in parts) else parts


def _email(typed: str) -> str:
    said = _without_scheme(typed).strip(_BESIDE).rstrip("!)")
    lower = said.lower()
    if PLAIN_EMAIL.fullmatch(lower):
        return lower
    try:
        return normalise_email(said)
    except ValidationError:
        if "?" in said:  # mailto:anna@example.org?subject=…
            return normalise_email(said.partition("?")[0])
        raise


def mobiles_in(cells: Iterable[str]) -> tuple[list[Address], list[str]]:
    """The numbers that cells are, and what is wrong with others."""
    found, problems = list[Address](), list[str]()
    for cell in cells:
        try:
            found.append((Channel.SMS.value, mobile_of(_without_scheme(cell))))
        except ValidationError as error:
            problems.append(str(error.messages[0]))
    return found, problems


def mobile_of(typed: str) -> str:
    """The number in E.164. Raises ValidationError."""
    if PLAIN_MOBILE.fullmatch(typed):
        return typed
    if SHORTENED.fullmatch(typed):
        raise ValidationError(_shortened_words())
    if _AS_A_SUM.fullmatch(typed):
        typed = re.sub(r"[.,]0+$|,", "", typed)
    try:
        return normalise_mobile(typed)
    except ValidationError:
        # A spreadsheet drops the plus sign.
        if re.fullmatch(r"[1-9]\d{6,14}", typed):
            return normalise_mobile(f"+{typed}")
        raise


def shortened(cells: Sequence[str]) -> list[str]:
    """What to say where one of the cells is a number that a spreadsheet has shortened."""
    return [_shortened_words()] if any(map(SHORTENED.fullmatch, cells)) else []


def _without_scheme(cell: str) -> str:
    found = _SCHEME.match(cell)
    return cell[found.end() :] if found else cell


def _shortened_words() -> str:
    return _("A spreadsheet has shortened this number. Set the column to Text there, and export it again.")
