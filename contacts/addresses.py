"""Normalisation: what a person typed -> the one value that stands for the address.

The packages that know how are loaded where they are needed: a worker that applies reports need not hold them.
"""

# ruff: noqa: PLC0415

import unicodedata
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts.models import Address, Channel

# ITU-T E.164 6.1: a plus sign and at most 15 digits.
LONGEST_E164: Final = 16


def normalise_email(typed: str) -> str:
    """The lower-cased address in Unicode, NFC (RFC 6532), its domain decoded from IDNA (RFC 5891).

    Raises ValidationError with what is wrong in plain words.
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(typed.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValidationError(str(error), code="email") from error
    return unicodedata.normalize("NFC", found.normalized.lower())


def normalise_mobile(typed: str, country: str = "") -> str:
    """The number in E.164 (ITU-T), such as +46701234567; a national one is read as of `country` or PHONE_REGION.

    Raises ValidationError with what to type instead.
    """
    import phonenumbers

    try:
        number = phonenumbers.parse(typed, country.upper() or settings.PHONE_REGION)
    except phonenumbers.NumberParseException as error:
        raise ValidationError(
            _("This is no phone number. Type it with its country code, such as +46 70 123 45 67."), code="mobile"
        ) from error
    if not phonenumbers.is_possible_number(number):
        raise ValidationError(
            _("This number has too few or too many digits. Type it with its country code, such as +46 70 123 45 67."),
            code="mobile",
        )
    found = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    if len(found) > LONGEST_E164:
        raise ValidationError(_("This number has more than 15 digits."), code="mobile")
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
