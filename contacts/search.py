"""What a person types into the search field -> which contacts are meant.

Every term must match the generated column `search` in a way that its trigram index can answer: a word of three
characters or more anywhere, a shorter one where a word starts (pg_trgm pads words with blanks, so that is indexed).
Where a word starts is what pg_trgm says: if we were stricter, the index would find rows by the hundred thousand
("se" in example.se) only for us to throw them away.
"""

import re
import unicodedata
from typing import Any, Final

import phonenumbers
from django.conf import settings
from django.db.models import Q, QuerySet

from contacts.models import Contact

LONGEST: Final = 200
MAX_TERMS: Final = 8
SHORTEST_INSIDE: Final = 3
WORD_START: Final = "(^|[ .@+_'-])"
# A number may be typed with blanks, hyphens, dots and brackets, so it is one term however many pieces it has.
PHONE: Final = re.compile(r"(?<!\S)[+(]*\d[\d\s().\-/]*(?!\S)")


def find(typed: str) -> "QuerySet[Contact, Any]":
    """The contacts that match all that was typed; everybody where nothing was."""
    found = Contact.objects.all()
    for term in terms(typed):
        found = found.filter(term)
    return found


def terms(typed: str) -> list[Q]:
    text = unicodedata.normalize("NFC", typed.replace("\0", ""))[:LONGEST].lower()
    phones = [phone(match.group()) for match in PHONE.finditer(text)]
    words = [word(found) for found in PHONE.sub(" ", text).split() if any(map(str.isalnum, found))]
    return (phones + words)[:MAX_TERMS]


def word(text: str) -> Q:
    if len(text) >= SHORTEST_INSIDE:
        return Q(search__contains=text)
    return Q(search__regex=WORD_START + re.escape(text))


def phone(typed: str) -> Q:
    """A number in E.164 that has these digits: as typed, or with the country instead of a national zero."""
    digits = re.sub(r"\D", "", typed.replace("(0)", ""))
    if typed.startswith("+") or digits.startswith("00"):
        return starts_number(digits.removeprefix("00"))
    if not digits.startswith("0"):
        return word(digits)
    national = digits.removeprefix("0")
    home = phonenumbers.country_code_for_region(settings.PHONE_REGION)
    anywhere = [word(part) for part in (digits, national) if len(part) >= SHORTEST_INSIDE]
    return Q(*anywhere, starts_number(f"{home}{national}"), _connector=Q.OR)


def starts_number(digits: str) -> Q:
    return Q(search__contains=f"+{digits}")
