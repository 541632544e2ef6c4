"""The words of messaging for templates, those of contacts included: a card shows both."""

from datetime import datetime, timedelta
from typing import Final

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from contacts.addresses import display_mobile
from contacts.blocks.filters import OPT_OUTS
from contacts.models import Block, Cause, Channel, Consent, Source
from contacts.templatetags.looks import pill
from messaging.bounces.reasons import OUTCOME_UNKNOWN, REASONS, reason_of
from messaging.card import explanations
from messaging.card.twelve_months import ColumnPart
from messaging.models import DeliveryEvent
from messaging.providers.registry import label_of
from messaging.status.order import CONSENTS, LOOKS, Caveat, Look, Status
from messaging.status.timeline import Entry

register = template.Library()

TOLD_LATE: Final = timedelta(minutes=1)

# The rule that blocked an address, as a marketer reads it.
RULES: Final[dict[str, str | Promise]] = {
    Cause.ONE_HARD_BOUNCE: _(
        "One hard bounce blocks an address for all send-outs: writing to a dead address harms the delivery to everybody"
        " else."
    ),
    Cause.SOFT_BOUNCES: _(
        "So many soft bounces in a row, without a delivery in between, block an address: it has stopped taking mail."
    ),
    Cause.IMPORTED: _("It stood on a block list that was imported. No message is sent to an address on such a list."),
}
NO_FAILURES: Final = {"delivered", "auto_reply", OUTCOME_UNKNOWN}
# What made a person unsubscribed or subscribed; other reasons are people's own words.
CONSENT_WORDS: Final[dict[tuple[str, str], str | Promise]] = {
    ("complaint", Channel.EMAIL): _("The person marked a message as spam."),
    ("complaint", Channel.SMS): _("The person reported a message as spam."),
    ("unsubscribe", Channel.EMAIL): _("The person used the unsubscribe link."),
    ("unsubscribe", Channel.SMS): _("The person answered STOP."),
    ("resubscribe", Channel.EMAIL): _("The person subscribed again."),
    ("resubscribe", Channel.SMS): _("The person answered START."),
    ("link", Channel.EMAIL): _("The person used the unsubscribe link."),
    ("link", Channel.SMS): _("The person used the unsubscribe link of an SMS."),
    ("one_click", Channel.EMAIL): _("The person used the unsubscribe button of their mail program."),
    ("one_click", Channel.SMS): _("The person used the unsubscribe link of an SMS."),
}
# Words that are the same for both channels.
OTHER_CONSENT_WORDS: Final[dict[str, str | Promise]] = {
    Source.UNDO: _("The person took it back: using the unsubscribe link was a mistake."),
    Source.FORM: _("The person filled in a form."),
    Source.IMPORT: _("An import says so."),
    Source.API: _("Another system says so."),
    Source.MIGRATION: _("Known since before Engage wrote down by what."),
}
# The same, said to the person themselves.
THEIR_WORDS: Final[dict[str, str | Promise]] = {
    Source.LINK: _("You unsubscribed by the link of another message on %(day)s."),
    Source.ONE_CLICK: _("You unsubscribed by the button of your mail program, at another message, on %(day)s."),
    Source.COMPLAINT: _("You marked a message as spam on %(day)s."),
    Source.ANSWER: _("You answered STOP on %(day)s."),
}

# What to bear in mind about an event.
GUESSED: Final = _(
    "A guess: the mail names no message, so it is taken for the newest one to this address, sent in the five days"
    " before. It blocks nobody, and gives way to all that is proven."
)
NAMED_CONSENT: Final = _(
    "The mail names this message by what everybody can see who has the email, so this is only shown: it proves nobody's"
    " wish."
)
GUESSED_REPLY: Final = _("The answer names no message, so it is taken to be about the newest one to this number.")
GUESSED_RECEIPT: Final = _(
    "A guess: this report was matched by number and time, as nobody heard under which id the message was taken. No"
    " other message of ours fits."
)
CAVEATS: Final[dict[str, str | Promise]] = {
    Caveat.NAMED: _(
        "The mail names this message by what everybody can see who has the email. So it shows, and blocks the address"
        " only where a report about another message agrees, or where it came from the address's own mail server."
    ),
    Caveat.OUTCOME_UNKNOWN: _("Nobody knows whether it left, so it is not sent again by itself."),
    Caveat.PASSED_ON: _(
        "This is about another address, to which the message was passed on. It does not say that this one is dead."
    ),
}

for plain in (
    explanations.says, explanations.advice, explanations.reason_label, explanations.gives_up,
    explanations.display_address, explanations.provider_name, explanations.status_label, explanations.dialog_name,
    explanations.event_name, label_of,
):  # fmt: skip
    register.filter(plain.__name__, plain)


# Reasons that only an imported list gives.
OPT_OUT_WORDS: Final = {"unsubscribe": _("Unsubscribed")}


@register.filter
def block_reason(block: Block) -> str:
    """The reason of a block in two or three words."""
    return str(OPT_OUT_WORDS.get(block.reason) or reason_of(block.reason).label(block.address.channel))


@register.filter
def is_opt_out(block: Block) -> bool:
    return block.reason in OPT_OUTS


@register.filter
def cause_name(cause: str) -> str:
    return str(dict(Cause.choices).get(cause, cause))


@register.filter
def reason_name(slug: str) -> str:
    return str(OPT_OUT_WORDS.get(slug) or reason_of(slug).label(Channel.EMAIL))


@register.simple_tag
def reason_choices() -> list[tuple[str, str]]:
    """What a block may have for a reason: those of a dead address first."""
    reasons = sorted(REASONS.values(), key=lambda reason: (not reason.is_hard, reason.label(Channel.EMAIL)))
    blocking = [(reason.slug, reason.label(Channel.EMAIL)) for reason in reasons if reason.slug not in NO_FAILURES]
    return [*blocking, *((slug, str(words)) for slug, words in OPT_OUT_WORDS.items())]


@register.filter
def rule(cause: str) -> str:
    return str(RULES.get(cause, cause))


@register.filter
def reason_words(slug: str, channel: str) -> str:
    """The reason's label; empty for none."""
    return reason_of(slug).label(channel) if slug else ""


@register.simple_tag
def reason_says(slug: str, channel: str, address: str) -> str:
    return reason_of(slug).says(channel, display_mobile(address) if channel == Channel.SMS else address)


@register.simple_tag
def imported_says(block: Block, channel: str, address: str) -> str:
    """What an imported list said of the address, as far as it gave a reason."""
    if block.reason == "complaint":
        return str(_("The list says that the person complained."))
    if block.reason == "unsubscribe":
        return str(_("The list says that the person unsubscribed."))
    return "" if block.reason == "unknown" else reason_says(block.reason, channel, address)


@register.filter
def consent_words(why: str, channel: str) -> str:
    return str(CONSENT_WORDS.get((why, channel)) or OTHER_CONSENT_WORDS.get(why, why))


@register.filter
def says_why(consent: Consent, channel: str) -> str:
    """Who said it, or by what; a colleague's own words where there are any."""
    return consent_words(consent.why, channel)


@register.filter
def told_to_them(consent: Consent) -> str:
    """Why they are unsubscribed, to whoever that is."""
    words = THEIR_WORDS.get(consent.source, _("You have been unsubscribed since %(day)s."))
    return str(words) % {"day": date_format(timezone.localtime(consent.at), "j F Y")}


@register.filter
def look_of(status: str) -> Look:
    return LOOKS[Status(status)][0]


@register.filter
def code_of(event: DeliveryEvent) -> str:
    return " ".join(filter(None, (event.reply_code, event.status_code, event.provider_code)))


@register.filter
def caveat_words(event: DeliveryEvent, channel: str) -> str:
    if event.caveat == Caveat.GUESSED and channel == Channel.SMS:
        return str(GUESSED_REPLY if event.kind in CONSENTS else GUESSED_RECEIPT)
    if event.caveat == Caveat.NAMED and event.kind in CONSENTS:
        return str(NAMED_CONSENT)
    return str(GUESSED if event.caveat == Caveat.GUESSED else CAVEATS.get(event.caveat, ""))


@register.filter
def was_late(entry: Entry) -> bool:
    """Whether we were told so much later than it happened that both times are worth showing."""
    return entry.event.recorded_at - entry.event.occurred_at > TOLD_LATE


@register.filter
def left(at: datetime) -> str:
    return explanations.in_time(at - timezone.now()) if at > timezone.now() else str(_("any minute now"))


@register.simple_tag
def status_pill(message: explanations.MessageState) -> SafeString:
    """The status of a message as icon, words and colour."""
    return pill(*LOOKS[Status(message.status)], explanations.status_label(message))


@register.filter
def icon_of(status: str) -> str:
    return LOOKS[Status(status)][1]


@register.simple_tag
def bar(part: ColumnPart, column: int, highest: int) -> SafeString:
    """Where a part of a column stands in the chart of 240 by 72."""
    unit = 70 / highest
    return format_html(
        'x="{}" y="{}" width="16" height="{}"',
        column * 20 + 2, f"{72 - (part.below + part.count) * unit:.2f}", f"{max(part.count * unit - 0.8, 0.8):.2f}",
    )  # fmt: skip


@register.simple_tag
def bar_of_none(column: int) -> SafeString:
    return format_html('x="{}" y="71" width="16" height="1"', column * 20 + 2)
