"""Contacts, addresses, blocks and changes as support staff see them. Only contacts are edited here."""

# ruff: noqa: ARG002 -- Django's hooks hand over more than each of them needs

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.addresses import display_mobile
from contacts.admin_form import ContactForm
from contacts.admin_panels import (
    FOUND_BY,
    MESSAGE,
    addresses_meant,
    addresses_panel,
    blocks_panel,
    card_link,
    changes_panel,
    consents_panel,
    contacts_meant,
    contacts_panel,
    ended_words,
    field_words,
    find_contacts,
    is_blocked,
    note_blocks,
    shown_value,
    state_words,
    who,
    why_words,
)
from contacts.history import just_added, save_contact
from contacts.models import Address, Block, Change, Contact
from contacts.templatetags.looks import clock
from engage.admin_cells import link_to, list_of, or_dash, shortened
from engage.large_tables import LargeTableAdmin, Panel, RecordAdmin, Tool


@admin.register(Contact)
class ContactAdmin(LargeTableAdmin[Contact]):
    form = ContactForm
    list_display = ("name_shown", "email_shown", "mobile_shown", "country", "language", "card")
    list_filter = ("accepts_email", "accepts_sms")
    search_help_text = FOUND_BY
    searches_text = True
    readonly_fields = ("guid", "created", "changed")
    fieldsets = (
        (None, {"fields": (("first_name", "last_name"), "email", "mobile", ("country", "language"))}),
        (gettext_lazy("Consent"), {"fields": ("accepts_email", "accepts_sms")}),
        (gettext_lazy("For the change history"), {"fields": ("why",)}),
        (gettext_lazy("Kept by Engage"), {"fields": ("guid", "created", "changed")}),
    )

    def complete(self, rows: Sequence[Contact]) -> None:
        note_blocks(rows, "email_address_id", "mobile_address_id")

    def search(self, rows: "QuerySet[Contact, Any]", typed: str) -> "QuerySet[Contact, Any]":
        return rows.filter(find_contacts(typed))

    def get_fieldsets(self, request: HttpRequest, obj: Contact | None = None) -> Any:
        """Who may only look sees no field to write a reason into; a new contact has nothing kept yet."""
        hidden = set()
        if obj is None:
            hidden = {"guid"}
        elif not self.has_change_permission(request, obj):
            hidden = {"why"}
        return [each for each in super().get_fieldsets(request, obj) if hidden.isdisjoint(each[1]["fields"])]

    def has_delete_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        """Its history goes with a contact, so only superusers may; blocks hang on addresses and stay."""
        return request.user.is_active and request.user.is_superuser

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Nobody removes a change by hand, but here the whole history goes: that is no missing permission."""
        nested, counts, _missing, protected = super().get_deleted_objects(objs, request)
        return nested, counts, set(), protected

    def save_model(self, request: HttpRequest, obj: Contact, form: "ModelForm[Contact]", change: bool) -> None:
        if change and not set(form.changed_data) - {"why"}:
            return
        if not change and (added := just_added(obj, request.user.pk or 0)):
            obj.__dict__.update(added.__dict__)
            return
        save_contact(obj, actor_id=request.user.pk, why=form.cleaned_data["why"])

    def subtitle(self, row: Contact) -> str:
        return row.name

    def tools(self, request: HttpRequest, row: Contact) -> Iterable[Tool]:
        yield Tool(_("Contact card"), row.get_absolute_url(), "person")
        if request.user.has_perm("messaging.view_message"):
            yield Tool(_("Messages"), list_of(MESSAGE, row.guid), "email")

    def panels(self, request: HttpRequest, row: Contact) -> Iterable[Panel]:
        ids = [pk for pk in (row.email_address_id, row.mobile_address_id) if pk]
        if self.may_view(request, Address):
            yield addresses_panel(row, ids)
            yield consents_panel(ids)
        if self.may_view(request, Block):
            yield blocks_panel(ids)
        if self.may_view(request, Change):
            yield changes_panel(row)

    @admin.display(description=gettext_lazy("name"))
    def name_shown(self, contact: Contact) -> str:
        return contact.name

    @admin.display(description=gettext_lazy("email"))
    def email_shown(self, contact: Contact) -> SafeString:
        words = state_words(
            is_blocked=is_blocked(contact, "email_address_id"), is_unsubscribed=not contact.accepts_email
        )
        return format_html("{} {}", contact.email, words if contact.email else "")

    @admin.display(description=gettext_lazy("mobile"))
    def mobile_shown(self, contact: Contact) -> SafeString:
        words = state_words(
            is_blocked=is_blocked(contact, "mobile_address_id"), is_unsubscribed=not contact.accepts_sms
        )
        return format_html("{} {}", display_mobile(contact.mobile_digits), words if contact.mobile else "")

    @admin.display(description=gettext_lazy("card"))
    def card(self, contact: Contact) -> SafeString:
        return card_link(contact)

    @admin.display(description=gettext_lazy("created"))
    def created(self, contact: Contact) -> SafeString:
        return clock(contact.created_at)

    @admin.display(description=gettext_lazy("changed"))
    def changed(self, contact: Contact) -> SafeString:
        return clock(contact.changed_at)


@admin.register(Address)
class AddressAdmin(RecordAdmin[Address]):
    list_display = ("value_shown", "channel", "state", "lifted")
    list_filter = ("channel",)
    search_help_text = gettext_lazy("An address in full (numbers as +46…), or what a contact is found by.")
    fields = ("value_shown", "channel", "state", "lifted")

    def complete(self, rows: Sequence[Address]) -> None:
        note_blocks(rows, "pk")

    def search(self, rows: "QuerySet[Address, Any]", typed: str) -> "QuerySet[Address, Any]":
        return rows.filter(pk__in=addresses_meant(typed))

    def panels(self, request: HttpRequest, row: Address) -> Iterable[Panel]:
        if self.may_view(request, Contact):
            yield contacts_panel(row)
        yield consents_panel([row.pk])
        if self.may_view(request, Block):
            yield blocks_panel([row.pk])

    @admin.display(description=gettext_lazy("address"))
    def value_shown(self, address: Address) -> str:
        return shown_value(address)

    @admin.display(description=gettext_lazy("state"))
    def state(self, address: Address) -> object:
        return or_dash(state_words(is_blocked=is_blocked(address, "pk"), is_unsubscribed=False))

    @admin.display(description=gettext_lazy("block last removed"))
    def lifted(self, address: Address) -> object:
        return or_dash(clock(address.lifted_at))


@admin.register(Block)
class BlockAdmin(RecordAdmin[Block]):
    list_display = ("number", "address_link", "since", "reason", "code", "message_link", "ended")
    list_select_related = ("address", "ended_by")
    search_help_text = gettext_lazy("An address in full (numbers as +46…), or what a contact is found by.")
    fieldsets = (
        (None, {"fields": ("address_link", "since", "cause", "message_link", "recorded")}),
        (gettext_lazy("Why"), {"fields": ("reason", "code", "diagnostic")}),
        (gettext_lazy("Removed"), {"fields": ("ended",)}),
    )

    def search(self, rows: "QuerySet[Block, Any]", typed: str) -> "QuerySet[Block, Any]":
        return rows.filter(address_id__in=addresses_meant(typed))

    def panels(self, request: HttpRequest, row: Block) -> Iterable[Panel]:
        if self.may_view(request, Contact):
            yield contacts_panel(row.address)

    @admin.display(description=gettext_lazy("number"))
    def number(self, block: Block) -> str:
        return f"#{block.pk}"

    @admin.display(description=gettext_lazy("address"))
    def address_link(self, block: Block) -> SafeString:
        return link_to(Address, block.address_id, shown_value(block.address))

    @admin.display(description=gettext_lazy("blocked since"))
    def since(self, block: Block) -> SafeString:
        return clock(block.started_at)

    @admin.display(description=gettext_lazy("recorded"))
    def recorded(self, block: Block) -> SafeString:
        return clock(block.recorded_at)

    @admin.display(description=gettext_lazy("message"))
    def message_link(self, block: Block) -> object:
        return or_dash(link_to(MESSAGE, block.message_id))

    @admin.display(description=gettext_lazy("removed"))
    def ended(self, block: Block) -> SafeString:
        return ended_words(block)


@admin.register(Change)
class ChangeAdmin(RecordAdmin[Change]):
    list_display = ("number", "when", "contact_link", "kind", "about", "old_short", "new_short", "why_short", "made_by")
    list_filter = ("kind",)
    list_select_related = ("contact", "actor")
    search_help_text = FOUND_BY
    fields = ("when", "contact_link", "kind", "about", "old", "new", "why_shown", "made_by")

    def search(self, rows: "QuerySet[Change, Any]", typed: str) -> "QuerySet[Change, Any]":
        return rows.filter(contact_id__in=[each.pk for each in contacts_meant(typed)])

    @admin.display(description=gettext_lazy("number"))
    def number(self, change: Change) -> str:
        return f"#{change.pk}"

    @admin.display(description=gettext_lazy("when"))
    def when(self, change: Change) -> SafeString:
        return clock(change.at)

    @admin.display(description=gettext_lazy("contact"))
    def contact_link(self, change: Change) -> SafeString:
        return link_to(Contact, change.contact_id, change.contact.name)

    @admin.display(description=gettext_lazy("field"))
    def about(self, change: Change) -> str:
        return field_words(change)

    @admin.display(description=gettext_lazy("before"))
    def old_short(self, change: Change) -> str:
        return shortened(change.old, 60)

    @admin.display(description=gettext_lazy("after"))
    def new_short(self, change: Change) -> str:
        return shortened(change.new, 60)

    @admin.display(description=gettext_lazy("why"))
    def why_short(self, change: Change) -> str:
        return shortened(why_words(change), 60)

    @admin.display(description=gettext_lazy("why"))
    def why_shown(self, change: Change) -> str:
        return why_words(change)

    @admin.display(description=gettext_lazy("who"))
    def made_by(self, change: Change) -> SafeString:
        return who(change)
