"""The closed vocabulary of reasons: is the address dead, and what does a marketer read about it.

One table states which reasons are hard. Our own fault is never hard, whatever code a server gives, and what can
come back (a full or disabled mailbox) is soft.
"""

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts.channels import Channel

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, whether it means a dead address, and its words; SMS has words of its own where they differ."""

    slug: str
    is_hard: bool
    email_label: Text
    email_says: Text
    email_advice: Text
    sms_label: Text = ""
    sms_says: Text = ""
    sms_advice: Text = ""

    def label(self, channel: str) -> str:
        """Two or three words, such as "User unknown"."""
        return str((channel == Channel.SMS and self.sms_label) or self.email_label)

    def says(self, channel: str, address: str = "") -> str:
        """What happened, in one plain sentence."""
        is_sms = channel == Channel.SMS
        text = (is_sms and self.sms_says) or self.email_says
        return str(text) % {"address": address or (_("the number") if is_sms else _("the address"))}

    def advice(self, channel: str) -> str:
        """What to do about it, in plain words."""
        return str((channel == Channel.SMS and self.sms_advice) or self.email_advice)


# Not why a message failed, but why nobody knows whether it did.
OUTCOME_UNKNOWN: Final = "in_doubt"

_NEXT: Final = _("Nothing: the next send-out tries the address again.")
_OURS: Final = _(
    "This says nothing about the address. Show the server's own words to whoever looks after your sending domain."
)
_NEW_ADDRESS: Final = _(
    "Ask the person for a new address. If you know that this one works, an administrator can remove the block."
)
_NEW_NUMBER: Final = _(
    "Ask the person for a new number. If you know that this one works, an administrator can remove the block."
)

_TABLE: Final = (
    Reason(
        "user_unknown", True,
        _("User unknown"), _("The receiving mail server says that %(address)s does not exist."), _NEW_ADDRESS,
        _("Number not in use"), _("The network says that %(address)s is not in use."), _NEW_NUMBER,
    ),
    Reason(
        "domain_unknown", True,
        _("Domain unknown"), _("The part of %(address)s after the @ does not exist."),
        _("Look for a typing mistake in the address, or ask the person for a new one."),
    ),
    Reason(
        "address_moved", True,
        _("Address moved"), _("The person has left %(address)s for another address."), _NEW_ADDRESS,
        _("Number changed"), _("The person has left %(address)s for another number."), _NEW_NUMBER,
    ),
    Reason(
        "domain_refuses_mail", True,
        _("Domain takes no mail"), _("The domain of %(address)s says that it never takes any mail."), _NEW_ADDRESS,
        _("Cannot receive SMS"), _("%(address)s cannot receive SMS: a landline, or a number without text messages."), _NEW_NUMBER,
    ),
    Reason(
        "permanent", True,
        _("Permanent failure"), _("The provider calls this failure permanent; the receiving mail server's own words are not known."),
        _NEW_ADDRESS,
        _("Permanent failure"), _("The provider calls this failure permanent, and does not say why."), _NEW_NUMBER,
    ),
    Reason(
        "mailbox_disabled", False,
        _("Mailbox disabled"), _("The mailbox %(address)s is suspended or no longer in use."),
        _("Nothing yet: it may come back, and the next send-out tries again. If it stays so, ask for another address."),
        _("Number barred"), _("The subscription of %(address)s is barred or suspended."),
        _("Nothing yet: it may come back, and the next send-out tries again."),
    ),
    Reason(
        "mailbox_full", False,
        _("Mailbox full"), _("There is no room left in the mailbox %(address)s."), _NEXT,
        _("Memory full"), _("There is no room left in the phone with the number %(address)s."), _NEXT,
    ),
    Reason(
        "recipient_refuses", False,
        _("Refused by the recipient"), _("A rule or filter of the person at %(address)s refused the message."),
        _("Ask the person whether they want your messages."),
        _("Blocked by recipient or network"), _("The person at %(address)s or their network has blocked your messages."),
        _("Ask the person whether they want your messages."),
    ),
    Reason(
        "message_too_big", False,
        _("Message too big"), _("The message is larger than %(address)s takes."), _("Make the message smaller."),
        _("Message too long"), _("The message is longer than the network takes."), _("Make the message shorter."),
    ),
    Reason(
        "content_rejected", False,
        _("Content refused"), _("The receiving side refused the content of the message."),
        _("Look at links, attachments and wording of the message."),
    ),
    Reason(
        "spam_suspected", False,
        _("Taken for spam"), _("The receiving side took the message for spam."),
        _("Look at the wording and the links, and whether the audience asked for the message."),
    ),
    Reason(
        "virus_suspected", False,
        _("Taken for a virus"), _("The receiving side found something in the message that looks harmful."),
        _("Look at attachments and links."),
    ),
    Reason(
        "sender_rejected", False,
        _("Sender refused"), _("The receiving side refuses the sender of the message."),
        _("The address is fine. Look whether the sender's address is written correctly, and show the server's own words to whoever looks after your sending domain."),
    ),
    Reason(
        "reputation", False,
        _("Low reputation"), _("The receiving side thinks little of the sending domain or server."),
        _("The address is fine. Send less for a while, and only to people who lately opened your messages; show this to whoever looks after your sending domain."),
    ),
    Reason(
        "ip_blocked", False,
        _("Sending server on a block list"), _("The receiving side refuses the server that sent the message."),
        _("The address is fine. Whoever runs the sending server has to ask for its removal from the list that the server's words name."),
    ),
    Reason(
        "ptr_missing", False,
        _("Sending server without a name"), _("The sending server's address has no name in the DNS (PTR record)."),
        _("The address is fine. Whoever runs the sending server has to give its IP address a name."),
    ),
    Reason(
        "authentication", False,
        _("Authentication failed"), _("SPF, DKIM or DMARC of the sending domain did not convince the receiving side."),
        _("The address is fine. Have the SPF, DKIM and DMARC records checked by whoever looks after your sending domain."),
    ),
    Reason(
        "policy", False,
        _("Against a policy"), _("The message breaks a rule of the receiving side."), _OURS,
        _("Against a rule"), _("A rule of the country, the network or the gateway stopped the message."), _OURS,
    ),
    Reason(
        "rate_limited", False,
        _("Too many at once"), _("The receiving side wants fewer messages at a time."),
        _("The address is fine, and the next send-out tries it again. If it happens often, have the sending rate lowered."),
    ),
    Reason(
        "greylisted", False,
        _("Asked to try again later"), _("The receiving side asks every new sender to come back later (greylisting)."),
        _("Nothing: this is tried again."),
    ),
    Reason("tls_failure", False, _("Encryption failed"), _("The two servers could not agree on an encrypted line."), _OURS),
    Reason(
        "network", False,
        _("Not reachable"), _("The receiving mail server could not be reached."), _NEXT,
        _("Phone not reachable"), _("The phone was off or out of reach."), _NEXT,
    ),
    Reason(
        "server_error", False,
        _("Server fault"), _("The receiving mail server had a fault of its own."), _NEXT,
        _("Network fault"), _("The mobile network had a fault."), _NEXT,
    ),
    Reason(
        "relaying_denied", False,
        _("Relaying denied"), _("The server that we reached does not take mail for this domain."), _OURS,
    ),
    Reason("protocol_error", False, _("Protocol error"), _("The two servers misunderstood each other."), _OURS),
    Reason(
        "expired", False,
        _("Gave up in the queue"), _("Delivery was tried for as long as allowed, without success."), _NEXT,
        _("Validity expired"), _("The message was not delivered while it was valid, which is 48 hours at most."), _NEXT,
    ),
    Reason(
        "suppressed", False,
        _("Not tried by the provider"),
        _("The provider did not try: %(address)s stands on its own suppression list because of something earlier."),
        _("Look at the suppression list in the provider's own console."),
        _("Opted out at the provider"), _("The provider did not try: %(address)s has opted out (STOP)."),
        _("Leave it so, unless the person asks for your messages again."),
    ),
    Reason(
        "complaint", False,
        _("Marked as spam"), _("The person marked a message as spam."), _("Leave it so: the person is unsubscribed."),
    ),
    Reason(
        "auto_reply", False,
        _("Automatic reply"), _("An automatic reply came back, such as a holiday notice."), _("Nothing: the message arrived."),
    ),
    Reason(
        OUTCOME_UNKNOWN, False,
        _("In doubt"),
        _("Engage was interrupted just as it handed the message over, or got no clear answer. Nobody knows whether it left."),
        _("Nothing: it is not sent again by itself, so that nobody gets it twice. If it is reported on, the status changes."),
    ),
    Reason("delivered", False, _("Delivered"), _("The message was delivered."), _("Nothing.")),
    Reason(
        "unknown", False,
        _("Unknown reason"), _("The message was not delivered, and nobody said why in words that we know."),
        _("Look at the server's own words below; the next send-out tries the address again."),
        _("Unknown reason"), _("The message was not delivered, and the network did not say why."), _NEXT,
    ),
)  # fmt: skip
REASONS: Final[dict[str, Reason]] = {reason.slug: reason for reason in _TABLE}
HARD: Final = frozenset(slug for slug, reason in REASONS.items() if reason.is_hard)
# What is no bounce at all.
NO_BOUNCE: Final = frozenset({"complaint", "auto_reply", "delivered"})


def reason_of(slug: str) -> Reason:
    """The reason with this slug, or "unknown"."""
    return REASONS.get(slug, REASONS["unknown"])
