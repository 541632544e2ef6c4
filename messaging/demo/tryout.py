"""Contacts at the addresses and numbers to which the try-out receivers (receiver.py, phones.py) answer in every way
there is, under one label.

A send-out to that label meets every fate. They are made once, and stay as they are: they may have messages by then.
They are the oldest contacts of the demo, so that its people head the list, which has the newest first.
"""

from datetime import datetime
from typing import Final
from uuid import NAMESPACE_DNS, UUID, uuid5

from contacts.history import save_contact
from contacts.models import Contact, Label, Labelled
from messaging.demo import clock, phones

LABEL: Final = "Try it out"
DOMAIN: Final = "tryout.example"
# What stands before the @, and the name of who stands for it.
PEOPLE: Final = {
    "arrives": "Arrives",
    "open": "Opens",
    "apple": "Opens by machine",
    "click": "Clicks",
    "unsubscribe": "Unsubscribes",
    "complaint": "Complains",
    "vacation": "Is on holiday",
    "defer": "Is deferred",
    "defer+once": "Is deferred once",
    "full": "Has a full mailbox",
    "bounce+disabled": "Has a disabled mailbox",
    "bounce+user-unknown": "Does not exist",
    "bounce+no-mail": "Takes no mail",
    "late-dsn": "Bounces later",
    "bounce+spam": "Takes it for spam",
    "bounce+blocklist": "Asks a block list",
    "bounce+dmarc": "Wants DMARC",
}


# By SMS, by the last digits of the number.
PHONES: Final = {ending: fate.name for ending, fate in phones.FATES.items()}


def guids() -> list[UUID]:
    return [_guid(which) for which in (*PEOPLE, *PHONES)]


def make(joined_at: datetime) -> None:
    """Make the contacts to try out sending with, as far as they are not there yet."""
    label, _ = Label.objects.get_or_create(name=LABEL)
    there = set(Contact.objects.filter(guid__in=guids()).values_list("guid", flat=True))
    of_email = {which: {"first_name": name, "email": f"{which}@{DOMAIN}"} for which, name in PEOPLE.items()}
    of_sms = {
        which: {"first_name": name, "mobile": phones.number_of(which), "country": "se"}
        for which, name in PHONES.items()
    }
    for which, fields in {**of_email, **of_sms}.items():
        if _guid(which) in there:
            continue
        contact = Contact(guid=_guid(which), **fields)
        save_contact(contact, actor_id=None, why=LABEL)
        clock.join(contact, joined_at)
        Labelled.objects.create(label=label, contact=contact)


def _guid(which: str) -> UUID:
    return uuid5(NAMESPACE_DNS, f"{which}.{DOMAIN}")
