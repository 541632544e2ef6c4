"""Saving a contact as a person edited it, with every change in its history."""

from datetime import timedelta
from typing import Final

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from contacts import consent
from contacts.addresses import address_of, normalise_email, normalise_mobile, normalised
from contacts.models import Change, Channel, Contact

# A second press within this, by the same person, is the same wish.
PRESSED_TWICE_WITHIN: Final = timedelta(minutes=1)
MOST_LOOKED_AT: Final = 20
_FIELDS: Final = ("first_name", "last_name", "email", "mobile", "country", "language")


def save_contact(contact: Contact, *, actor_id: int | None, why: str = "") -> None:
    """Normalise the addresses, save, and write what changed, by whom and why.

    An address that was left alone stays the one it is, whatever else was edited: `0701234567` is read as of the
    country that the contact had when it was typed. Raises ValidationError where an address is none. Addresses
    and row are locked meanwhile, so the history tells what really was there before.

    What the contact accepts is taken for said by that person where it is changed; a new contact that accepts says
    nothing. Afterwards it accepts what its addresses do.
    """
    with transaction.atomic():
        before = consent.hold(contact.pk, normalised(contact.email, contact.mobile, contact.country))
        _settle_email(contact, before)
        _settle_mobile(contact, before)
        contact.changed_at = now = timezone.now()
        wanted = {channel: consent.accepts(contact, channel) for channel in Channel}
        unaddressed = consent.as_before(before, contact, wanted, now)
        contact.save()
        Change.objects.bulk_create(_changes(before, contact, actor_id, why, unaddressed))
        consent.of_edit(before, contact, wanted, actor_id=actor_id, why=why, at=now)


def _settle_email(contact: Contact, before: Contact | None) -> None:
    if before is not None and before.email == contact.email and before.email_address_id:
        contact.email_address_id = before.email_address_id
    else:
        email = normalise_email(contact.email) if contact.email else ""
        contact.email_address = address_of(Channel.EMAIL, email) if email else None


def _settle_mobile(contact: Contact, before: Contact | None) -> None:
    if before is not None and before.mobile == contact.mobile and before.mobile_address_id:
        contact.mobile_digits, contact.mobile_address_id = before.mobile_digits, before.mobile_address_id
    else:
        contact.mobile_digits = normalise_mobile(contact.mobile, contact.country) if contact.mobile else ""
        contact.mobile_address = address_of(Channel.SMS, contact.mobile_digits) if contact.mobile_digits else None


def _changes(
    before: Contact | None, after: Contact, actor_id: int | None, why: str, consents: list[Channel]
) -> list[Change]:
    if before is None:
        return [Change(contact=after, kind=Change.Kind.CREATED, actor_id=actor_id, why=why)]
    edits = [
        Change(
            contact=after, kind=Change.Kind.EDITED, field=field, actor_id=actor_id, why=why,
            old=getattr(before, field), new=getattr(after, field),
        )
        for field in _FIELDS
        if getattr(before, field) != getattr(after, field)
    ]  # fmt: skip
    noted = [
        Change(
            contact=after, field=channel.value, actor_id=actor_id, why=why,
            kind=Change.Kind.OPTED_IN if consent.accepts(after, channel) else Change.Kind.OPTED_OUT,
        )
        for channel in consents
    ]  # fmt: skip
    return edits + noted


def just_added(contact: Contact, actor_id: int) -> Contact | None:
    """The contact that this person added just now with the same values, by a button pressed twice; None for a new one.

    Called within the transaction that saves: who presses twice at once comes one after the other.
    """
    get_user_model().objects.select_for_update(no_key=True).get(pk=actor_id)
    just_now = timezone.now() - PRESSED_TWICE_WITHIN
    for latest in Contact.objects.order_by("-pk")[:MOST_LOOKED_AT]:
        is_same = all(getattr(latest, field) == getattr(contact, field) for field in _FIELDS)
        made = latest.changes.filter(kind=Change.Kind.CREATED, actor_id=actor_id)
        if is_same and latest.created_at > just_now and made.exists():
            return latest
    return None
