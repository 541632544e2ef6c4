"""What a message was headed with: its send-out's subject, filled in with what was known of the contact when it left."""

from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _

from contacts.models import Change, Contact
from messaging.models import Message
from messaging.sendouts.contents import Person, person_of, values_of
from messaging.sendouts.tags import TAG, TagError, compiled, plainly


class Headings:
    """Of the messages to one contact; without a contact, tags are said by what stands in for a value.

    One query, and only where a subject has a tag: what was edited since is undone by the contact's history.
    """

    def __init__(self, contact: Contact | None) -> None:
        self._contact = contact
        self._filled: dict[tuple[str, int], str] = {}

    def of(self, subject: str, of_send_out: str, name_of_send_out: str, sent_at: datetime | None) -> str:
        """What a marketer knows a message by: its own subject, else its send-out's, else the send-out's name.

        `sent_at`: aware UTC; None for a message that has not left: then what is known now.
        """
        return subject or self._said(of_send_out, sent_at) or name_of_send_out or _("No subject")

    def person_at(self, sent_at: datetime | None) -> Person | None:
        """What tags could say of the contact at that moment, aware UTC; None where there is no contact any more."""
        if self._contact is None:
            return None
        # Of several edits since, the first has what was there before all of them; it comes last.
        before = {field: old for at, field, old in self._edits if sent_at and at > sent_at}
        return person_of(self._contact)._replace(**before)

    def _said(self, subject: str, sent_at: datetime | None) -> str:
        if self._contact is None or not TAG.search(subject):
            return plainly(subject)
        later = sum(1 for at, _field, _old in self._edits if sent_at and at > sent_at)
        if (subject, later) not in self._filled:
            self._filled[subject, later] = self._fill(subject, sent_at)
        return self._filled[subject, later]

    def _fill(self, subject: str, sent_at: datetime | None) -> str:
        try:
            return " ".join(compiled(subject).fill(values_of(self.person_at(sent_at))).split())
        except TagError:
            return plainly(subject)

    @cached_property
    def _edits(self) -> list[tuple[datetime, str, str]]:
        """When which field was edited, and what it was before; the newest first."""
        fields = ("first_name", "last_name", "email", "mobile", "country", "language")
        of_contact = Change.objects.filter(contact=self._contact, kind=Change.Kind.EDITED, field__in=fields)
        return list(of_contact.order_by("-pk").values_list("at", "field", "old"))


def heading_of(message: Message) -> str:
    """The heading of one message; of its send-out and contact, which are best loaded with it."""
    send_out = message.send_out
    of_send_out, name = (send_out.subject, send_out.name) if send_out else ("", "")
    return Headings(message.contact).of(message.subject, of_send_out, name, message.sent_at)
