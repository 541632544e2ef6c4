"""What support staff type into a search field -> which messages are meant. Every way is answered by an index."""

import re
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from contacts.addresses import normalise_email, normalise_mobile
from contacts.models import Channel, Contact
from contacts.search import bare
from engage.large_tables import number_of
from messaging.models import Message
from messaging.tokens import message_ids_in

# Of one contact, one provider's id: more is no answer to a question.
MOST: Final = 500
PHONE: Final = re.compile(r"[+(\d][\d\s().\-/]{5,}")


def find_messages(typed: str) -> list[int]:
    """The numbers of the messages that were meant.

    By number, token (also within a header or URL), the provider's id, the contact's GUID, or the email or mobile that
    a contact has now.
    """
    exact = {found for found in (*message_ids_in(typed), number_of(typed)) if found}
    return [*exact, *_by_provider_id(typed), *_of_contacts(typed)]


def _by_provider_id(typed: str) -> Iterable[int]:
    # SendGrid's events lengthen the id by a point and what follows.
    wanted = {typed, typed.partition(".")[0]}
    return _newest(Message.objects.filter(provider_message_id__in=wanted))


def _of_contacts(typed: str) -> Iterable[int]:
    meant = _contacts_meant(typed)
    if meant is None:
        return []
    contacts = list(Contact.objects.filter(meant).order_by("pk").values_list("pk", flat=True)[:MOST])
    return _newest(Message.objects.filter(contact_id__in=contacts)) if contacts else []


def _newest(messages: "QuerySet[Message, Any]") -> Iterable[int]:
    return messages.order_by("-pk").values_list("pk", flat=True)[:MOST]


def _contacts_meant(typed: str) -> Q | None:
    try:
        return Q(guid=UUID(typed))
    except ValueError:
        pass
    typed = bare(typed)
    try:
        if "@" in typed:
            return Q(email_address__channel=Channel.EMAIL, email_address__value=normalise_email(typed))
        if PHONE.fullmatch(typed):
            return Q(mobile_address__channel=Channel.SMS, mobile_address__value=normalise_mobile(typed))
    except ValidationError:
        pass
    return None
