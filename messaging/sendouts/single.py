"""One message by itself: sent again to its contact, or a test to oneself. Handed over like what is tried again."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.addresses import address_of, normalise_email, normalise_mobile
from contacts.blocks import IN_FORCE
from contacts.models import Address, Block, Channel, Contact
from messaging.models import Message
from messaging.sendouts import contents
from messaging.sendouts.handover import chosen
from messaging.sendouts.models import Content, SendOut


class RefusedError(Exception):
    """It may not be sent; the words say why, to a marketer."""


def send_again(message: Message) -> Message:
    """A new message that says the same, to the address that the contact has now. Raises RefusedError."""
    contact, content = message.contact, message.content
    if contact is None or content is None:
        raise RefusedError(_("There is no contact any more, or nobody knows what it said."))
    address = contact.email_address if message.channel == Channel.EMAIL else contact.mobile_address
    _check(message.channel, address, contact, is_transactional=content.send_out.is_transactional)
    return _queued(message.channel, address or message.address, content, contact)


def send_test(send_out: SendOut, email: str, mobile: str = "") -> Message:
    """What the draft says now, to whoever writes it, with what tags say for want of a value. Raises RefusedError.

    By SMS to `mobile`, as it was typed.
    """
    if send_out.content is None:
        raise RefusedError(_("It says nothing yet."))
    is_email = send_out.channel == Channel.EMAIL
    if is_email and not email:
        raise RefusedError(_("Your log-in has no email address. Whoever looks after Engage can add one."))
    try:
        value = normalise_email(email) if is_email else normalise_mobile(mobile)
    except ValidationError as error:
        raise RefusedError(" ".join(error.messages)) from error
    address = address_of(Channel(send_out.channel), value)
    _check(send_out.channel, address, None, is_transactional=True)
    return _queued(send_out.channel, address, send_out.content, None)


def _check(channel: str, address: Address | None, contact: Contact | None, *, is_transactional: bool) -> None:
    if address is None:
        raise RefusedError(_("The contact has no address any more."))
    if Block.objects.filter(IN_FORCE, address=address).exists():
        raise RefusedError(_("The address is blocked."))
    accepts = contact is None or (contact.accepts_email if channel == Channel.EMAIL else contact.accepts_sms)
    if not accepts and not is_transactional:
        raise RefusedError(_("The person has unsubscribed."))


def _queued(channel: str, address: Address, content: Content, contact: Contact | None) -> Message:
    slug = chosen.slug_of(channel)
    if not slug:
        raise RefusedError(
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
