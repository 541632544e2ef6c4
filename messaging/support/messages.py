"""Messages, send-outs and events as support staff see them: what became of each message, and who said so."""

# ruff: noqa: ARG002 -- Django's hooks hand over more than each of them needs

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Address, Channel, Contact
from contacts.templatetags.looks import clock, icon, pill
from engage.admin_cells import MOST_RELATED, head, link_to, more_than, or_dash, shortened
from engage.large_tables import Panel, RecordAdmin, Tool
from messaging.card import explanations
from messaging.models import Alarm, DeliveryEvent, Message, Report, SendOut, Tally, UnlistedCode
from messaging.providers.registry import label_of
from messaging.status.order import LOOKS, Kind, status_of
from messaging.status.timeline import Effect, Entry, timeline
from messaging.support.counts import AlarmAdmin, TallyAdmin, UnlistedCodeAdmin
from messaging.support.reports import ReportAdmin
from messaging.support.search import find_messages
from messaging.support.words import FOUND_BY, ProviderFilter, code_of, state_pill, why_words
from messaging.templatetags.message_words import status_pill
from messaging.tracking.tokens import token_of

__all__ = [
    "AlarmAdmin", "DeliveryEventAdmin", "MessageAdmin", "ReportAdmin", "SendOutAdmin", "TallyAdmin",
    "UnlistedCodeAdmin",
]  # fmt: skip


@admin.register(Message)
class MessageAdmin(RecordAdmin[Message]):
    list_display = ("number", "status_shown", "sent", "subject_shown", "address_shown", "contact_link", "provider_name")
    list_filter = ("channel", "status", ProviderFilter)
    list_select_related = ("send_out", "address", "contact")
    search_help_text = FOUND_BY
    fieldsets = (
        (None, {"fields": ("status_shown", "says", "status_since", "diagnostic", "said_by", "opened")}),
        (gettext_lazy("Message"), {"fields": ("subject_shown", "send_out_link", "address_shown", "contact_link")}),
        (
            gettext_lazy("Sending"),
            {
                "fields": (
                    "provider_name",
                    "provider_message_id",
                    "token",
                    "parts",
                    "parts_arrived",
                    "created",
                    "sent",
                    "due",
                )
            },
        ),
    )

    def search(self, rows: "QuerySet[Message, Any]", typed: str) -> "QuerySet[Message, Any]":
        return rows.filter(pk__in=find_messages(typed))

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Message]":
        return super().get_queryset(request).select_related("send_out", "address", "contact")

    def subtitle(self, row: Message) -> str:
        return f"#{row.pk} · {row.title}"

    def tools(self, request: HttpRequest, row: Message) -> Iterable[Tool]:
        if row.contact:
            yield Tool(_("Contact card"), reverse("messaging:tab", args=[row.contact.guid]), "person")
        yield Tool(_("Details as marketers see them"), row.get_absolute_url(), "info")

    def panels(self, request: HttpRequest, row: Message) -> Iterable[Panel]:
        events = list(row.events.order_by("recorded_at", "occurred_at", "key")[:MOST_RELATED])
        if self.may_view(request, DeliveryEvent):
            yield events_panel(row, events)
        if self.may_view(request, Report):
            yield reports_panel({event.report_id for event in events if event.report_id})

    @admin.display(description=gettext_lazy("number"))
    def number(self, message: Message) -> str:
        return f"#{message.pk}"

    @admin.display(description=gettext_lazy("subject"))
    def subject_shown(self, message: Message) -> SafeString:
        label = str(Channel(message.channel).label)
        return format_html("{} {}", icon(message.channel, label), shortened(message.title, 60))

    @admin.display(description=gettext_lazy("send-out"))
    def send_out_link(self, message: Message) -> object:
        return or_dash(link_to(SendOut, message.send_out_id, message.send_out or ""))

    @admin.display(description=gettext_lazy("address"))
    def address_shown(self, message: Message) -> SafeString:
        return link_to(Address, message.address_id, explanations.display_address(message))

    @admin.display(description=gettext_lazy("contact"))
    def contact_link(self, message: Message) -> object:
        return contact_of(message)

    @admin.display(description=gettext_lazy("provider"))
    def provider_name(self, message: Message) -> object:
        return or_dash(message.provider and label_of(message.provider))

    @admin.display(description=gettext_lazy("token"))
    def token(self, message: Message) -> str:
        return token_of(message.pk)

    @admin.display(description=gettext_lazy("created"))
    def created(self, message: Message) -> SafeString:
        return clock(message.created_at)

    @admin.display(description=gettext_lazy("handed over"))
    def sent(self, message: Message) -> object:
        return or_dash(clock(message.sent_at))

    @admin.display(description=gettext_lazy("gives up on"))
    def due(self, message: Message) -> object:
        return or_dash(clock(message.due_at))

    @admin.display(description=gettext_lazy("status"))
    def status_shown(self, message: Message) -> SafeString:
        reason = format_html(' <span class="quiet">{}</span>', explanations.reason_label(message))
        return status_pill(message) + reason

    @admin.display(description=gettext_lazy("opened"))
    def opened(self, message: Message) -> str:
        if message.is_opened_by_person:
            return _("By a person")
        return _("By a program, probably") if message.is_opened else _("No")

    @admin.display(description=gettext_lazy("in plain words"))
    def says(self, message: Message) -> str:
        return f"{explanations.says(message)} {explanations.advice(message)}".strip()

    @admin.display(description=gettext_lazy("status since"))
    def status_since(self, message: Message) -> object:
        return or_dash(clock(message.status_at))


def contact_of(message: Message) -> object:
    return or_dash(link_to(Contact, message.contact_id, message.contact or ""))


def events_panel(message: Message, events: list[DeliveryEvent]) -> Panel:
    heads = [head(DeliveryEvent, name) for name in ("recorded_at", "occurred_at", "kind")]
    heads += [_("Effect"), _("Why"), head(DeliveryEvent, "diagnostic"), _("From")]
    entries = timeline(Channel(message.channel), events, message.parts)
    rows = [event_row(message, entry) for entry in entries]
    note = more_than() if len(events) == MOST_RELATED else ""
    return Panel(_("Events, as recorded"), heads, rows, _("Nothing was reported about this message yet."), note)


def event_row(message: Message, entry: Entry) -> list[object]:
    event = entry.event
    return [
        clock(event.recorded_at),
        clock(event.occurred_at),
        link_to(DeliveryEvent, event.place, Kind(event.kind).label),
        effect_of(entry),
        why_words(event.reason, code_of(event), message.channel),
        shortened(event.diagnostic),
        format_html("{} {}", label_of(event.provider), link_to(Report, event.report_id)),
    ]


def effect_of(entry: Entry) -> str:
    if entry.note:
        return str(entry.note)
    words = _("Confirms %(status)s") if entry.effect == Effect.CONFIRMED else "→ %(status)s"
    return words % {"status": entry.status.label}


def reports_panel(ids: set[int]) -> Panel:
    reports = Report.objects.defer("body").filter(pk__in=ids).order_by("pk")
    rows = [
        [link_to(Report, report.pk), label_of(report.provider), clock(report.received_at), state_pill(report)]
        for report in reports
    ]
    heads = [_("Report"), head(Report, "provider"), head(Report, "received_at"), head(Report, "state")]
    return Panel(_("Reports"), heads, rows, _("No report is kept of what is known."))


@admin.register(SendOut)
class SendOutAdmin(RecordAdmin[SendOut]):
    list_display = ("name", "channel", "subject", "created")
    search_help_text = gettext_lazy("A send-out's number.")
    fields = ("name", "channel", "subject", "created")

    @admin.display(description=gettext_lazy("created"))
    def created(self, send_out: SendOut) -> SafeString:
        return clock(send_out.created_at)

    def panels(self, request: HttpRequest, row: SendOut) -> Iterable[Panel]:
        if self.may_view(request, Message):
            yield messages_panel(row)


def messages_panel(send_out: SendOut) -> Panel:
    # In the order of the index `one_message_each`; a few are enough to see what becomes of it.
    found = Message.objects.filter(send_out=send_out).select_related("contact", "address").order_by("contact_id")
    rows = [
        [link_to(Message, each.pk), explanations.display_address(each), contact_of(each), status_pill(each)]
        for each in found[:MOST_RELATED]
    ]
    heads = [_("Message"), head(Message, "address"), head(Message, "contact"), head(Message, "status")]
    note = more_than() if len(rows) == MOST_RELATED else ""
    return Panel(_("Messages"), heads, rows, _("No message was made for it."), note)


admin.site.register(Report, ReportAdmin)


@admin.register(DeliveryEvent)
class DeliveryEventAdmin(RecordAdmin[DeliveryEvent]):
    list_display = ("kind_shown", "recorded", "occurred", "message_link", "why", "provider_name", "report_link")
    list_select_related = ("message",)
    ordering = ("recorded_at", "occurred_at", "key")
    list_per_page = 500
    needs_question = True
    search_help_text = gettext_lazy("A message's number, token or provider's id.")
    fieldsets = (
        (None, {"fields": ("kind_shown", "shows_as", "message_link", "occurred")}),
        (
            gettext_lazy("What it says"),
            {"fields": ("why", "reply_code", "status_code", "provider_code", "diagnostic", "said_by", "is_automatic")},
        ),
        (gettext_lazy("Where it comes from"), {"fields": ("provider_name", "report_link", "recorded")}),
    )

    def search(self, rows: "QuerySet[DeliveryEvent, Any]", typed: str) -> "QuerySet[DeliveryEvent, Any]":
        return rows.filter(message_id__in=find_messages(typed))

    def place_of(self, row: DeliveryEvent) -> object:
        return row.place

    def get_object(
        self,
        request: HttpRequest,
        object_id: str,
        from_field: str | None = None,
    ) -> DeliveryEvent | None:
        return DeliveryEvent.at_place(object_id)

    @admin.display(description=gettext_lazy("kind"))
    def kind_shown(self, event: DeliveryEvent) -> str:
        return str(Kind(event.kind).label)

    @admin.display(description=gettext_lazy("shows as"))
    def shows_as(self, event: DeliveryEvent) -> object:
        status = status_of(Kind(event.kind), Channel(event.message.channel))
        return pill(*LOOKS[status], status.label) if status else _("Nothing: it is about consent.")

    @admin.display(description=gettext_lazy("recorded"))
    def recorded(self, event: DeliveryEvent) -> SafeString:
        return clock(event.recorded_at)

    @admin.display(description=gettext_lazy("occurred"))
    def occurred(self, event: DeliveryEvent) -> SafeString:
        return clock(event.occurred_at)

    @admin.display(description=gettext_lazy("message"))
    def message_link(self, event: DeliveryEvent) -> SafeString:
        return link_to(Message, event.message_id)

    @admin.display(description=gettext_lazy("provider"))
    def provider_name(self, event: DeliveryEvent) -> str:
        return label_of(event.provider)

    @admin.display(description=gettext_lazy("why"))
    def why(self, event: DeliveryEvent) -> object:
        return or_dash(why_words(event.reason, code_of(event), event.message.channel))

    @admin.display(description=gettext_lazy("report"))
    def report_link(self, event: DeliveryEvent) -> object:
        return or_dash(link_to(Report, event.report_id))


admin.site.register(Tally, TallyAdmin)
admin.site.register(UnlistedCode, UnlistedCodeAdmin)
admin.site.register(Alarm, AlarmAdmin)
