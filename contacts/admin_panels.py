"""What belongs to a contact or an address, as the admin pages show it; and what a search there means."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts import search
from contacts.addresses import display_mobile, normalise_email, normalise_mobile
from contacts.blocks.record import open_blocks
from contacts.models import Address, Block, Change, Channel, Consent, Contact
from contacts.templatetags.looks import clock, icon
from engage.admin_cells import MOST_RELATED, head, link_to, more_than, or_dash, shortened
from engage.keyset import newest_matching
from engage.large_tables import Panel, number_of

# Messages belong to another app, which is known here by its addresses only.
MESSAGE: Final = "messaging.message"
# As many contacts are looked at where something is searched through them.
MOST_CONTACTS: Final = 100
LATEST: Final = 20
FOUND_BY: Final = gettext_lazy("A name, an email, a mobile number, or a contact's number or GUID.")


def find_contacts(typed: str) -> Q:
    """The contacts meant by a GUID, a whole address, a number, or what the product's own search finds."""
    with suppress(ValueError):
        return Q(guid=UUID(typed))
    numbered = Q(pk=number_of(typed))
    if exact := exact_addresses(typed):
        return numbered | Q(email_address_id__in=exact) | Q(mobile_address_id__in=exact)
    found = Q()
    for term in search.terms(typed):
        found &= term
    return numbered | found if found else numbered


def exact_addresses(typed: str) -> list[int]:
    """The addresses that are just what was typed: most questions, and much less work than to look within texts."""
    typed = search.bare(typed)
    wanted = Q(channel__in=Channel.values, value=typed.lower())
    with suppress(ValidationError):
        wanted |= Q(channel=Channel.EMAIL, value=normalise_email(typed))
    with suppress(ValidationError):
        wanted |= Q(channel=Channel.SMS, value=normalise_mobile(typed))
    return list(Address.objects.filter(wanted).values_list("pk", flat=True))


def contacts_meant(typed: str) -> list[Contact]:
    return newest_matching(Contact.objects.filter(find_contacts(typed)), MOST_CONTACTS)


def addresses_meant(typed: str) -> set[int]:
    """The addresses that read as typed, and those of the contacts meant."""
    exact = exact_addresses(typed)
    if exact:
        return set(exact)
    held = [pk for each in contacts_meant(typed) for pk in (each.email_address_id, each.mobile_address_id) if pk]
    return set(held)


def holders_of(address: Address) -> "QuerySet[Contact, Any]":
    holders = address.contacts_by_email if address.channel == Channel.EMAIL else address.contacts_by_mobile
    return holders.order_by("pk")


def shown_value(address: Address) -> str:
    return display_mobile(address.value) if address.channel == Channel.SMS else address.value


def card_link(contact: Contact) -> SafeString:
    return format_html('<a href="{}">{}{}</a>', contact.get_absolute_url(), icon("person"), _("Contact card"))


def note_blocks(rows: Sequence[Contact] | Sequence[Address], *fields: str) -> None:
    """Look up which of the addresses that these rows hold in `fields` are blocked, in one query for all of them."""
    blocked = open_blocks([getattr(row, field) for row in rows for field in fields])
    for row in rows:
        vars(row)["blocked"] = {field for field in fields if getattr(row, field) in blocked}


def is_blocked(row: Contact | Address, field: str) -> bool:
    """What `note_blocks` has found."""
    return field in vars(row).get("blocked", ())


def state_words(*, is_blocked: bool, is_unsubscribed: bool) -> SafeString:
    """What stands in the way of sending, as signs and words; nothing where nothing does."""
    blocked = format_html('<span class="pill bad">{}{}</span> ', icon("ban"), _("Blocked")) if is_blocked else ""
    gone = format_html('<span class="pill idle">{}{}</span>', icon("bell-off"), _("Unsubscribed"))
    return format_html("{}{}", blocked, gone if is_unsubscribed else "")


def blocks_panel(address_ids: Sequence[int]) -> Panel:
    blocks = Block.objects.filter(address_id__in=address_ids).select_related("address", "ended_by")
    rows = [
        [
            link_to(Block, block.pk),
            shown_value(block.address),
            clock(block.started_at),
            block.reason.replace("_", " "),
            block.code,
            or_dash(link_to(MESSAGE, block.message_id)),
            ended_words(block),
        ]
        for block in blocks.order_by("-pk")[:MOST_RELATED]
    ]
    heads = [_("Block"), _("Address"), _("Since"), _("Reason"), _("Code"), _("Message"), _("Removed")]
    return Panel(_("Blocks"), heads, rows, _("Never blocked."), _("A block is removed on the contact's card."))


def consents_panel(address_ids: Sequence[int]) -> Panel:
    found = Consent.objects.filter(address__in=address_ids).select_related("address", "actor", "via")
    rows = [
        [
            shown_value(each.address),
            _("Yes") if each.accepts else _("No"),
            clock(each.at),
            each.get_source_display(),
            shortened(each.wording, 60),
            or_dash(link_to(MESSAGE, each.message_id) or each.actor),
            clock(each.recorded_at),
        ]
        for each in found.order_by("-at", "accepts", "key")[:MOST_RELATED]
    ]
    heads = [_("Address"), _("Accepts"), _("Given"), _("By"), _("Words"), _("Message or person"), _("Recorded")]
    note = _("Consent belongs to the address. The latest that stands counts, a no before a yes of the same time.")
    return Panel(_("Consents"), heads, rows, _("Nobody ever said yes or no."), note)


def ended_words(block: Block) -> SafeString:
    if block.is_held:
        return format_html("{}", _("Held for review"))
    if block.ended_at is None:
        return state_words(is_blocked=True, is_unsubscribed=False)
    return format_html("{} {} {}", clock(block.ended_at), block.ended_by or "", shortened(block.end_reason, 60))


def contacts_panel(address: Address) -> Panel:
    holders = list(holders_of(address)[:MOST_RELATED])
    rows = [[link_to(Contact, each.pk, each.name), card_link(each)] for each in holders]
    note = more_than() if len(holders) == MOST_RELATED else ""
    return Panel(_("Contacts with this address"), [_("Contact"), _("Card")], rows, _("Nobody has it now."), note)


def who(change: Change) -> SafeString:
    """The person, or the message whose report it was."""
    if change.message_id:
        return format_html("{} {}", _("Message"), link_to(MESSAGE, change.message_id))
    return format_html("{}", or_dash(change.actor))


def why_words(change: Change) -> str:
    """What a person wrote; of a report, its reason."""
    return change.why.replace("_", " ") if change.message_id else change.why


def field_words(change: Change) -> str:
    """The name of a field, the address, or the channel: what the change is about."""
    names = {each.name: str(each.verbose_name) for each in Contact._meta.fields}
    return str(names.get(change.field) or dict(Channel.choices).get(change.field) or change.field)


def addresses_panel(contact: Contact, ids: Sequence[int]) -> Panel:
    found = Address.objects.filter(pk__in=ids).order_by("channel")
    blocked = open_blocks(ids)
    accepts = {Channel.EMAIL: contact.accepts_email, Channel.SMS: contact.accepts_sms}
    rows = [
        [
            Channel(each.channel).label,
            link_to(Address, each.pk, shown_value(each)),
            state_words(is_blocked=each.pk in blocked, is_unsubscribed=not accepts[Channel(each.channel)]),
        ]
        for each in found
    ]
    return Panel(_("Addresses"), [_("Channel"), _("Address"), _("State")], rows, _("Neither an email nor a mobile."))


def changes_panel(contact: Contact) -> Panel:
    changes = contact.changes.select_related("actor").order_by("-pk")[:LATEST]
    rows = [
        [
            clock(each.at),
            Change.Kind(each.kind).label,
            field_words(each),
            each.old,
            each.new,
            why_words(each),
            who(each),
        ]
        for each in changes
    ]
    heads = [head(Change, name) for name in ("at", "kind", "field", "old", "new", "why")]
    everything = reverse("contacts:history", args=[contact.guid])
    note = format_html('<a href="{}">{}</a>', everything, _("The whole change history on the card"))
    return Panel(_("Latest changes"), [*heads, _("Who")], rows, _("No change is recorded."), note)
