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

    Raises ValidationError where an address is none. The row is locked meanwhile, so the history tells what really
    was there before.
    """
    email = normalise_email(contact.email) if contact.email else ""
    mobile = normalise_mobile(contact.mobile, contact.country) if contact.mobile else ""
    with transaction.atomic():
        before = Contact.objects.select_for_update(no_key=True).filter(pk=contact.pk).first() if contact.pk else None
        contact.email_address = address_of(Channel.EMAIL, email) if email else None
        contact.mobile_address = address_of(Channel.SMS, mobile) if mobile else None
        contact.mobile_digits = mobile
        contact.changed_at = now = timezone.now()
        for field, channel in _CONSENTS.items():
            if before is None or getattr(before, field) != getattr(contact, field):
                setattr(contact, f"{channel.value}_consent_at", now)
        contact.save()
        Change.objects.bulk_create(_changes(before, contact, actor_id, why))


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
