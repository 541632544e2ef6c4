"""What a person types into the search field -> which contacts are meant.

Every term must match the column `search`, folded as that is (folding.py), in a way that its trigram index can answer:
a word of three characters or more anywhere, a shorter one where a word starts (pg_trgm pads words with blanks, so that
is indexed). Where a word starts is what pg_trgm says: if we were stricter, the index would find rows by the hundred
thousand ("se" in example.se) only for us to throw them away.
"""

import re
import unicodedata
from typing import Any, Final
from urllib.parse import unquote

import phonenumbers
from django.conf import settings
from django.db.models import Q, QuerySet

from contacts.folding import DASHES, SYMBOLS, UNSEEN, fold_word, in_two_letters, symbol_word
from contacts.models import Contact
from engage.domains import in_ascii, in_unicode

LONGEST: Final = 200
MAX_TERMS: Final = 8
SHORTEST_INSIDE: Final = 3
WORD_START: Final = "(^|[ .@+_'-])"
# A number may be typed with blanks, hyphens, dots and brackets, so it is one term however many pieces it has.
PHONE: Final = re.compile(r"(?<!\S)[+(]*\d[\d\s().\-/]*(?!\S)")
# What stands around an address that was copied: Name <address>, "Name" <address>, mailto:address?subject=…
AROUND: Final = re.compile(r"[<>\"“”„«»]")
MAILTO: Final = re.compile(r"(?<!\S)mailto:(?://)?([^\s?]*)(\?\S*)?", re.IGNORECASE)
# RFC 3966: parameters follow behind a semicolon.
TEL: Final = re.compile(r"(?<!\S)(?:tel|sms|smsto|callto):(?://)?([^\s;?]*)([;?]\S*)?", re.IGNORECASE)
# Chinese, Japanese and Korean names, which are written without a blank, the family's first.
RUN_TOGETHER: Final = re.compile("[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff]{2,6}")
BETWEEN: Final = re.compile(r"[\s,;]+")
BESIDE: Final = "()[]{}!?:"


def find(typed: str) -> "QuerySet[Contact, Any]":
    """The contacts that match all that was typed; everybody where nothing was."""
    found = Contact.objects.all()
    for term in terms(typed):
        found = found.filter(term)
    return found


def terms(typed: str) -> list[Q]:
    text = bare(typed)
    phones = [phone(match.group()) for match in PHONE.finditer(text)]
    words = [each for found in BETWEEN.split(PHONE.sub(" ", text)) for each in words_in(found)]
    # A stray exclamation mark looks for nothing, but for itself where it stands alone.
    telling = [each for each in words if any(map(tells, each))]
    return (phones + [word(each) for each in (telling or ([] if phones else words))])[:MAX_TERMS]


def bare(typed: str) -> str:
    """What was typed, in one form of Unicode, without what mail programs and web pages put around an address."""
    text = unicodedata.normalize("NFKC", typed.replace("\0", "")[:LONGEST])
    text = AROUND.sub(" ", DASHES.sub("-", UNSEEN.sub("", text)))
    text = MAILTO.sub(lambda found: unquote(found.group(1)), text)
    return TEL.sub(lambda found: unquote(found.group(1)), text).replace("\0", "").strip()


def words_in(text: str) -> list[str]:
    """The words of something without a blank: a double name is two, since not everybody writes its hyphen."""
    inside = text.strip(BESIDE).rstrip(".") or text
    parts = [inside] if "@" in inside else inside.split("-")
    return [part for part in parts if part] or ([text] if text else [])


def tells(sign: str) -> bool:
    """Whether one would look for this sign among others: letters, digits, pictures; not punctuation."""
    return sign.isalnum() or unicodedata.category(sign) in {"So", "Sc"}


def word(text: str) -> Q:
    """Contacts with this word in any of its forms: Jürgen is also Jurgen and Juergen."""
    plain = fold_word(text)
    forms = {plain, fold_word(in_two_letters(text)), *map(fold_word, [*other_domain(text), *apart(text)])} - {""}
    symbols = {symbol_word(each) for each in SYMBOLS.findall(plain)}
    either = Q(*(form_of_word(form) for form in sorted(forms)), _connector=Q.OR)
    return Q(either, *(Q(search__contains=each) for each in sorted(symbols)))


def apart(text: str) -> list[str]:
    """A name that is written without a blank as the names of a contact may stand: 山田花子 is also 花子 山田."""
    if not RUN_TOGETHER.fullmatch(text):
        return []
    halves = [(text[:place], text[place:]) for place in range(1, len(text))]
    return [f"{first} {last}" for pair in halves for first, last in (pair, reversed(pair))]


def other_domain(text: str) -> list[str]:
    """A domain beyond ASCII as the DNS has it, and the other way round: people copy either."""
    local, at, domain = text.lower().rpartition("@")
    if "xn--" in domain:
        found = in_unicode(domain)
    elif at and not domain.isascii():
        found = in_ascii(f"x@{domain}").removeprefix("x@")
    else:
        return []
    return [f"{local}{at}{found}"] if found != domain else []


def form_of_word(text: str) -> Q:
    if len(text) >= SHORTEST_INSIDE or not any(map(str.isalnum, text)):
        return Q(search__contains=text)
    return Q(search__regex=WORD_START + re.escape(text))


def phone(typed: str) -> Q:
    """A number in E.164 that has these digits: as typed, or with the country instead of a national zero."""
    digits = "".join(str(unicodedata.decimal(sign)) for sign in typed.replace("(0)", "") if sign.isdecimal())
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
