"""What support staff type into a search field -> which messages are meant. Every way is answered by an index."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from contacts.addresses import known_mobile, normalise_email
from contacts.models import Address, Channel, Contact, FormerAddress
from contacts.search import bare
from engage.large_tables import number_of
from messaging.models import Message
from messaging.tracking.tokens import message_ids_in

# Of one contact, one provider's id: more is no answer to a question.
MOST: Final = 500
PHONE: Final = re.compile(r"[+(\d][\d\s().\-/]{5,}")


def find_messages(typed: str) -> list[int]:
    """The numbers of the messages that were meant.

    By number, token (also within a header or URL), the provider's id, the contact's GUID, or an email or mobile: all
    messages of the contacts that have it now, and those to it of the contacts that had it.
    """
    exact = {found for found in (*message_ids_in(typed), number_of(typed)) if found}
    return [*exact, *_by_provider_id(typed), *_of_contacts(typed)]


def _by_provider_id(typed: str) -> Iterable[int]:
    # SendGrid's events lengthen the id by a point and what follows.
    wanted = {typed, typed.partition(".")[0]}
    return _newest(Message.objects.filter(provider_message_id__in=wanted))


def _of_contacts(typed: str) -> Iterable[int]:
    try:
        return _of_holders(Q(guid=UUID(typed)))
    except ValueError:
        pass
    address = _address_in(bare(typed))
    if address is None:
        return []
    theirs = _of_holders(Q(email_address=address) | Q(mobile_address=address))
    former = list(
        FormerAddress.objects.filter(address=address).order_by("pk").values_list("contact_id", flat=True)[:MOST]
    )
    return [*theirs, *_newest(Message.objects.filter(contact_id__in=former, address=address))] if former else theirs


def _of_holders(meant: Q) -> Iterable[int]:
    contacts = list(Contact.objects.filter(meant).order_by("pk").values_list("pk", flat=True)[:MOST])
    return _newest(Message.objects.filter(contact_id__in=contacts)) if contacts else []


def _newest(messages: "QuerySet[Message, Any]") -> Iterable[int]:
    return messages.order_by("-pk").values_list("pk", flat=True)[:MOST]


def _address_in(typed: str) -> Address | None:
    with suppress(ValidationError):
        if "@" in typed:
            return Address.objects.filter(channel=Channel.EMAIL, value=normalise_email(typed)).first()
        if PHONE.fullmatch(typed):
            return Address.objects.filter(channel=Channel.SMS, value=known_mobile(typed)).first()
    return None
