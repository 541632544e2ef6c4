"""Normalisation: what a person typed -> the one value that stands for the address.

The packages that know how are loaded where they are needed: a worker that applies reports need not hold them.
"""

# ruff: noqa: PLC0415

import re
import unicodedata
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts.models import Address, Channel

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# ITU-T E.164 6.1: a plus sign and at most 15 digits.
LONGEST_E164: Final = 16
_SCHEME: Final = re.compile(r"^(tel|sms|smsto|callto):", re.IGNORECASE)
# RFC 3966 5.3, and what people write; a comma and digits are how a telephone dials one after a pause.
_EXTENSION: Final = re.compile(r"ext(ension|n)?[^a-z]|(?<=\d)\s*(;ext=|x|#|ankn|dw\b)|(?<=\d),+\d{1,5}$", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[,;/|&\n]|\s[^\W\d_]+\s")
# Never meant in an address: soft hyphens and what has no width. Some writing needs the two that join letters.
UNSEEN: Final = dict.fromkeys([0xAD, 0x34F, 0x200B, *range(0x2060, 0x2065), 0xFEFF])
# What changes the direction of text comes along where an address is copied; within one it would show another.
DIRECTIONS: Final = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_LINE_ENDS: Final = "\n\r\u2028\u2029"
_PLUS: Final = re.compile(r"\+\s*\d")
# Fewer digits are a part of a number.
_LEAST_DIGITS: Final = 7
_STRANGE: Final = re.compile(r"[^\d\s().+/-]+")


def normalise_email(typed: str) -> str:
    """The lower-cased address in Unicode, NFC (RFC 6532), its domain decoded from IDNA (RFC 5891).

    Raises ValidationError with what is wrong in plain words.
    """
    from email_validator import EmailNotValidError, validate_email

    typed = typed.translate(UNSEEN).strip().strip(DIRECTIONS).strip()
    try:
        found = validate_email(typed, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValidationError(_what_is_wrong(typed) or str(error), code="email") from error
    return unicodedata.normalize("NFC", found.normalized.lower())


def _what_is_wrong(typed: str) -> str:
    """In plain words why this is no email address; empty where we know none."""
    local, at, domain = typed.rpartition("@")
    strange = next((sign for sign in domain if not _is_of_a_domain(sign)), "")
    words = {
        _("An email address must have an @-sign."): not at,
        _("There is a blank in this address. Remove it, or write one address alone."): any(map(str.isspace, typed)),
        _("There is more than one @-sign. Write one address alone."): "@" in local,
        _("Something is missing before the @-sign."): not local,
        _("Something is missing after the @-sign."): not domain,
        _("The part after the @-sign is not valid: it has no period, as in example.org."): "." not in domain,
        _("The part after the @-sign is not valid: there can be no such domain."): "xn--" in domain.lower(),
        _("“%(sign)s” cannot stand after the @-sign.") % {"sign": strange}: bool(strange),
    }
    return next((each for each, is_so in words.items() if is_so), "")


def _is_of_a_domain(sign: str) -> bool:
    return sign in ".-\u3002\u00b7\u30fb\u0375\u05f3\u05f4\u200c\u200d" or unicodedata.category(sign)[0] in "LMN"


def normalise_mobile(typed: str, country: str = "") -> str:
    """The number in E.164 (ITU-T), such as +46701234567; a national one is read as of `country` or PHONE_REGION.

    Raises ValidationError with what to type instead: nothing that was typed is passed over, such as an extension, a
    letter or a second number, and a number must be one that its country can have.
    """
    number = _read(_one_number(typed), country)
    if not _can_exist(number):
        raise ValidationError(_no_such_number(), code="mobile")
    return _e164(number)


def known_mobile(typed: str, country: str = "") -> str:
    """As `normalise_mobile`, for a number that exists by what it does: it has just sent us an SMS.

    Numbering plans grow faster than anybody's tables of them, so only how long it may be is asked.
    """
    return _e164(_read(typed, country))


def _one_number(typed: str) -> str:
    """What was typed in plain signs: full-width and other digits, dashes and blanks of all kinds as those of ASCII."""
    text = "".join(_plain_sign(sign) for sign in unicodedata.normalize("NFKC", typed)).strip()
    text = _SCHEME.sub("", text)
    # RFC 3966 5.1.5: a local number says what stands before it.
    text, _semicolon, context = text.partition(";phone-context=")
    if context.startswith("+"):
        text = f"{context}{text.removeprefix('0')}"
    if _EXTENSION.search(text):
        raise ValidationError(_("No SMS reaches an extension. Type the number alone, without it."), code="mobile")
    if (
        sum(len(re.sub(r"\D", "", each)) >= _LEAST_DIGITS for each in _BETWEEN.split(text)) > 1
        or len(_PLUS.findall(text)) > 1
    ):
        raise ValidationError(_("These are several numbers. Type one of them."), code="mobile")
    if not any(map(str.isdigit, text)):
        raise ValidationError(_no_number(), code="mobile")
    if strange := _STRANGE.search(text):
        raise ValidationError(
            _("A number has digits only, but here stands “%(strange)s”. Type it like +46 70 123 45 67.")
            % {"strange": strange.group()[:20]},
            code="mobile",
        )
    return " ".join(text.split())


def _plain_sign(sign: str) -> str:
    kind = unicodedata.category(sign)
    if kind == "Nd":
        return str(unicodedata.decimal(sign))
    if kind == "Pd" or sign == "\u2212":  # a minus is no punctuation for Unicode
        return "-"
    if kind == "Cf":  # zero width, or where text changes its direction
        return ""
    if sign in _LINE_ENDS:
        return "\n"
    return " " if sign.isspace() else sign


def _read(typed: str, country: str) -> "PhoneNumber":
    import phonenumbers

    try:
        number = phonenumbers.parse(typed, country.upper() or settings.PHONE_REGION)
    except phonenumbers.NumberParseException as error:
        raise ValidationError(_no_number(), code="mobile") from error
    if not phonenumbers.is_possible_number(number):
        raise ValidationError(
            _("This number has too few or too many digits. Type it with its country code, such as +46 70 123 45 67."),
            code="mobile",
        )
    return number


def _can_exist(number: "PhoneNumber") -> bool:
    """Whether its country hands out such numbers.

    One that is not handed out yet, as far as we know, counts where it is as long as a mobile number of that country,
    and no zero (or what else stands there before a national number) is left in front.
    """
    import phonenumbers

    if phonenumbers.is_valid_number(number):
        return True
    kind = phonenumbers.PhoneNumberType.MOBILE
    if phonenumbers.is_possible_number_for_type_with_reason(number, kind) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return False
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    prefix = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or "0"
    return not phonenumbers.national_significant_number(number).startswith(("0", prefix))


def _e164(number: "PhoneNumber") -> str:
    import phonenumbers

    found = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    if len(found) > LONGEST_E164:
        raise ValidationError(_("This number has more than 15 digits."), code="mobile")
    return found


def _no_number() -> str:
    return _("This is no phone number. Type it with its country code, such as +46 70 123 45 67.")


def _no_such_number() -> str:
    return _("There can be no such number. Look at its digits, and type it with its country code.")


def normalised(email: str, mobile: str, country: str) -> dict[Channel, str]:
    """The values of both addresses that were typed; without those that are none."""
    found = {}
    with suppress(ValidationError):
        found[Channel.EMAIL] = normalise_email(email)
    with suppress(ValidationError):
        found[Channel.SMS] = normalise_mobile(mobile, country)
    return found


@lru_cache(maxsize=2_000)
def display_mobile(e164: str) -> str:
    """The number as people write it across borders: +46 70 123 45 67. Anything else comes back as it is."""
    import phonenumbers

    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def address_of(channel: Channel, value: str) -> Address:
    """The one row of a normalised value; made where it is not known yet."""
    return Address.objects.get_or_create(channel=channel, value=value)[0]
