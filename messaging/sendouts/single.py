"""One message by itself: sent again to its contact, or a test to oneself. Handed over like what is tried again."""

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.addresses import address_of, normalise_email, normalise_mobile
from contacts.blocks.record import IN_FORCE
from contacts.models import Address, Block, Channel, Contact
from messaging.delivery import transport_factory
from messaging.models import Message
from messaging.sendouts import contents
from messaging.sendouts.models import Content, SendOut, SendOutChange
from messaging.status.order import Status

# A second press within this is the same wish.
PRESSED_TWICE_WITHIN: Final = timedelta(seconds=10)
# Enough for whoever works on a text, too few to bother anybody with.
TESTS_PER_HOUR: Final = 20
LONGEST_DETAIL: Final = 200


class NotSendableError(Exception):
    """It may not be sent; the words say why, to a marketer."""


def send_again(message: Message) -> Message:
    """A new message that says the same, to the address that the contact has now. Raises RefusedError."""
    contact, content = message.contact, message.content
    if contact is None or content is None:
        raise NotSendableError(_("There is no contact any more, or nobody knows what it said."))
    address = contact.email_address if message.channel == Channel.EMAIL else contact.mobile_address
    _check(message.channel, address, contact, is_transactional=content.send_out.is_transactional)
    with transaction.atomic():
        Message.objects.select_for_update(no_key=True).get(pk=message.pk)  # pressed twice at once: one copy
        if _is_on_its_way(content, contact):
            raise NotSendableError(_("It is on its way already."))
        return _queued(message.channel, address or message.address, content, contact)


def _is_on_its_way(content: Content, contact: Contact) -> bool:
    same = Message.objects.filter(contact=contact, content=content, send_out=None)
    just_made = Q(created_at__gt=timezone.now() - PRESSED_TWICE_WITHIN)
    return same.filter(just_made | Q(status=Status.WAITING)).exists()


def send_test(send_out: SendOut, tester: User, mobile: str = "") -> Message:
    """What the draft says now, to whoever writes it: by email to the address of their log-in, by SMS to `mobile`, as
    it was typed, which has to be the number of a contact who takes SMS. Raises RefusedError.

    A test stands in the send-out's history, one by SMS on the contact's card, too; each person may send
    TESTS_PER_HOUR. So nobody reaches strangers by it.
    """
    if send_out.content is None:
        raise NotSendableError(_("It says nothing yet."))
    if send_out.channel == Channel.EMAIL:
        address, contact = _own_address(tester), None
    else:
        address, contact = _of_contact(mobile)
    _check(send_out.channel, address, contact, is_transactional=False)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=tester.pk)  # pressed twice at once: one after the other
        _check_pace(send_out.content, address, tester)
        SendOutChange.objects.create(
            send_out=send_out, kind=SendOutChange.Kind.TESTED, actor=tester, detail=address.value[:LONGEST_DETAIL]
        )
        return _queued(send_out.channel, address, send_out.content, contact)


def _own_address(tester: User) -> Address:
    if not tester.email:
        raise NotSendableError(_("Your log-in has no email address. Whoever looks after Engage can add one."))
    try:
        return address_of(Channel.EMAIL, normalise_email(tester.email))
    except ValidationError as error:
        raise NotSendableError(" ".join(error.messages)) from error


def _of_contact(mobile: str) -> tuple[Address, Contact]:
    try:
        value = normalise_mobile(mobile)
    except ValidationError as error:
        raise NotSendableError(" ".join(error.messages)) from error
    found = Contact.objects.filter(mobile_address__channel=Channel.SMS, mobile_address__value=value)
    contact = found.select_related("mobile_address").order_by("pk").first()
    if contact is None or contact.mobile_address is None:
        raise NotSendableError(_("No contact has this number. Tests go to contacts only: have yourself added as one."))
    return contact.mobile_address, contact


def _check_pace(content: Content, address: Address, tester: User) -> None:
    now = timezone.now()
    tests = SendOutChange.objects.filter(kind=SendOutChange.Kind.TESTED, actor=tester)
    if tests.filter(at__gt=now - timedelta(hours=1)).count() >= TESTS_PER_HOUR:
        raise NotSendableError(_("You have sent %(n)d tests within an hour. Wait a while.") % {"n": TESTS_PER_HOUR})
    same = tests.filter(send_out=content.send_out, detail=address.value[:LONGEST_DETAIL])
    if same.filter(at__gt=now - PRESSED_TWICE_WITHIN).exists():
        raise NotSendableError(_("It is on its way already."))


def _check(channel: str, address: Address | None, contact: Contact | None, *, is_transactional: bool) -> None:
    if address is None:
        raise NotSendableError(_("The contact has no address any more."))
    if Block.objects.filter(IN_FORCE, address=address).exists():
        raise NotSendableError(_("The address is blocked."))
    accepts = contact is None or (contact.accepts_email if channel == Channel.EMAIL else contact.accepts_sms)
    if not accepts and not is_transactional:
        raise NotSendableError(_("The person has unsubscribed."))


def _queued(channel: str, address: Address, content: Content, contact: Contact | None) -> Message:
    slug = transport_factory.slug_of(channel)
    if not slug:
        raise NotSendableError(
            _("No way for emails to leave is set up. Tell whoever looks after Engage.")
            if channel == Channel.EMAIL
            else _("No way for SMS to leave is set up. Tell whoever looks after Engage.")
        )
    subject = contents.shown(content, channel, contents.values_of(contact)).subject
    with transaction.atomic():
        return Message.objects.create(
            channel=channel, address=address, contact=contact, content=content, subject=subject[:250],
            provider=slug, next_attempt_at=timezone.now(),
        )  # fmt: skip
