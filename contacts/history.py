"""Saving a contact as a person edited it, with every change in its history."""

from typing import Final

from django.db import transaction
from django.utils import timezone

from contacts.addresses import address_of, normalise_email, normalise_mobile
from contacts.models import Change, Channel, Contact

_FIELDS: Final = ("first_name", "last_name", "email", "mobile", "country", "language")
_CONSENTS: Final = {"accepts_email": Channel.EMAIL, "accepts_sms": Channel.SMS}


def save_contact(contact: Contact, *, actor_id: int | None, why: str = "") -> None:
    """Normalise the addresses, save, and write what changed, by whom and why.

    An address that was left alone stays the one it is, whatever else was edited: `0701234567` is read as of the
    country that the contact had when it was typed. Raises ValidationError where an address is none. The row is locked
    meanwhile, so the history tells what really was there before.
    """
    with transaction.atomic():
        before = Contact.objects.select_for_update(no_key=True).filter(pk=contact.pk).first() if contact.pk else None
        _settle_email(contact, before)
        _settle_mobile(contact, before)
        contact.changed_at = now = timezone.now()
        for field, channel in _CONSENTS.items():
            if before is None or getattr(before, field) != getattr(contact, field):
                setattr(contact, f"{channel.value}_consent_at", now)
        contact.save()
        Change.objects.bulk_create(_changes(before, contact, actor_id, why))


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


def _changes(before: Contact | None, after: Contact, actor_id: int | None, why: str) -> list[Change]:
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
    consents = [
        Change(
            contact=after, field=channel.value, actor_id=actor_id, why=why,
            kind=Change.Kind.OPTED_IN if getattr(after, field) else Change.Kind.OPTED_OUT,
        )
        for field, channel in _CONSENTS.items()
        if getattr(before, field) != getattr(after, field)
    ]  # fmt: skip
    return edits + consents
