"""Messages to report about."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from contacts.history import save_contact
from contacts.models import Channel, Contact
from messaging.models import Message

SENT_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
_numbers = count(1)


def make_contact(**fields: object) -> Contact:
    number = next(_numbers)
    values = {"first_name": "Anna", "email": f"anna{number}@example.org", "mobile": f"+4670{number:07}"} | fields
    contact = Contact(**values)
    save_contact(contact, actor_id=None)
    contact.email_consent_at = contact.sms_consent_at = SENT_AT - timedelta(days=30)
    contact.save()
    return contact


def make_message(channel: Channel = Channel.EMAIL, contact: Contact | None = None, **fields: object) -> Message:
    contact = contact or make_contact()
    address = contact.email_address if channel == Channel.EMAIL else contact.mobile_address
    assert address is not None
    values = {
        "channel": channel, "contact": contact, "address": address, "status": "unknown", "sent_at": SENT_AT,
        "due_at": SENT_AT + timedelta(hours=48) if channel == Channel.SMS else None, "subject": "Autumn letter",
    } | fields  # fmt: skip
    return Message.objects.create(**values)


@pytest.fixture
def new_message(db: None) -> Callable[..., Message]:
    return make_message
