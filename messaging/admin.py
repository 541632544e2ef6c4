"""Messages, send-outs, reports and events as support staff see them: what became of them, and reports replayed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts.models import Address, Channel, Contact
from contacts.templatetags.looks import clock, icon
from engage.large_tables import (
    MOST_RELATED,
    LargeTableAdmin,
    Panel,
    RecordAdmin,
    Tool,
    head,
    link_to,
    list_of,
    more_than,
    number_of,
    or_dash,
    shortened,
    up_to,
)
from messaging import explain
from messaging.bounces.reasons import reason_of
from messaging.lookup import find_messages
from messaging.models import DeliveryEvent, Message, Refusal, Report, SendOut
from messaging.providers import label_of, providers
from messaging.raw import readable
from messaging.reports import replay
from messaging.rereading import MOST as MOST_READ
from messaging.rereading import Contents, Told, contents_of
from messaging.statuses import LOOKS, Kind, Look, Status, status_of
from messaging.timeline import Effect, Entry, timeline
from messaging.tokens import token_of

STATE_LOOKS: Final[dict[Report.State, tuple[Look, str]]] = {
    Report.State.NEW: (Look.IDLE, "tray"),
    Report.State.APPLIED: (Look.GOOD, "check"),
    Report.State.UNMATCHED: (Look.WARN, "clock"),
    Report.State.SET_ASIDE: (Look.BAD, "question"),
    Report.State.UNREADABLE: (Look.BAD, "cross"),
}
FOUND_BY: Final = gettext_lazy(
    "A message's number, its token, the provider's id, a contact's GUID, or an email or mobile number in full."
)


def pill(look: Look, sign: str, words: object) -> SafeString:
    return format_html('<span class="pill {}">{}{}</span>', look, icon(sign), words)


def status_pill(message: Message) -> SafeString:
    return pill(*LOOKS[Status(message.status)], explain.status_label(message))


def state_pill(report: Report) -> SafeString:
    state = Report.State(report.state)
    return pill(*STATE_LOOKS[state], state.label)


def code_of(event: DeliveryEvent) -> str:
    return " ".join(filter(None, (event.reply_code, event.status_code, event.provider_code)))


def first_line(text: str) -> str:
    return shortened(text.partition("\n")[0])


class ProviderFilter(admin.SimpleListFilter):
    """By the providers we know: asking the table which it holds would read all of it."""

    title = gettext_lazy("provider")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(slug, provider.label) for slug, provider in providers().items()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any] | None":
        return queryset.filter(provider=self.value()) if self.value() else None


class StateFilter(admin.SimpleListFilter):
    """The states that an index answers: those that need a look, and what lies in the inbox."""

    title = gettext_lazy("state")
    parameter_name = "state"
    INBOX: Final = "inbox"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        counted = [(state.value, state.label, Report.objects.filter(state=state)) for state in Report.NEED_A_LOOK]
        waiting = (self.INBOX, _("To be read soon"), Report.objects.filter(next_at__isnull=False))
        return [(value, f"{label} ({counted_up_to(rows)})") for value, label, rows in [*counted, waiting]]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any] | None":
        if self.value() == self.INBOX:
            first = Report.objects.filter(next_at__isnull=False).order_by("next_at", "pk").values_list("pk", flat=True)
            return queryset.filter(pk__in=list(first[:MOST_READ]))
        return queryset.filter(state=self.value()) if self.value() in Report.NEED_A_LOOK else None


def counted_up_to(rows: "QuerySet[Any, Any]", most: int = 1_000) -> str:
    found = up_to(rows, most)
    return f"{most - 1}+" if found >= most else str(found)


@admin.register(Message)
class MessageAdmin(RecordAdmin[Message]):
    list_display = ("number", "subject_shown", "address_shown", "contact_link", "provider_name", "sent", "status_shown")
    list_filter = ("channel", "status", ProviderFilter)
    list_select_related = ("send_out", "address", "contact")
    search_help_text = FOUND_BY
    fieldsets = (
        (None, {"fields": ("status_shown", "says", "status_since", "diagnostic", "said_by", "is_opened_by_person")}),
        (gettext_lazy("Message"), {"fields": ("subject_shown", "send_out_link", "address_shown", "contact_link")}),
        (
            gettext_lazy("Sending"),
            {"fields": ("provider_name", "provider_message_id", "token", "created", "sent", "due")},
        ),
    )

    def search(self, rows: "QuerySet[Message, Any]", typed: str) -> "QuerySet[Message, Any]":
        return rows.filter(pk__in=find_messages(typed))

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Message]":
        return super().get_queryset(request).select_related("send_out", "address", "contact")

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
        return link_to(Address, message.address_id, explain.display_address(message))

    @admin.display(description=gettext_lazy("contact"))
    def contact_link(self, message: Message) -> object:
        return or_dash(link_to(Contact, message.contact_id, message.contact or ""))

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
        return format_html("{} {}", status_pill(message), explain.reason_label(message))

    @admin.display(description=gettext_lazy("in plain words"))
    def says(self, message: Message) -> str:
        return f"{explain.says(message)} {explain.advice(message)}".strip()

    @admin.display(description=gettext_lazy("status since"))
    def status_since(self, message: Message) -> object:
        return or_dash(clock(message.status_at))


def events_panel(message: Message, events: list[DeliveryEvent]) -> Panel:
    entries = timeline(Channel(message.channel), events)
    heads = [head(DeliveryEvent, name) for name in ("recorded_at", "occurred_at", "kind")]
    heads += [_("Effect"), _("Why"), head(DeliveryEvent, "diagnostic"), _("From")]
    rows = [event_row(message, entry) for entry in entries]
    note = more_than() if len(events) == MOST_RELATED else ""
    return Panel(_("Events, as recorded"), heads, rows, _("Nothing was reported about this message yet."), note)


def event_row(message: Message, entry: Entry) -> list[object]:
    event = entry.event
    why = " · ".join(filter(None, (event.reason and reason_of(event.reason).label(message.channel), code_of(event))))
    source = link_to(Report, event.report_id) or _("ourselves")
    return [
        clock(event.recorded_at), clock(event.occurred_at), link_to(DeliveryEvent, event.pk, Kind(event.kind).label),
        effect_of(entry), why, shortened(event.diagnostic), format_html("{} {}", label_of(event.provider), source),
    ]  # fmt: skip


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
        if not self.may_view(request, Message):
            return
        # In the order of its index; a few are enough to see what became of it.
        found = Message.objects.filter(send_out=row).select_related("contact", "address").order_by("contact_id")
        rows = [
            [
                link_to(Message, each.pk),
                explain.display_address(each),
                link_to(Contact, each.contact_id, each.contact or ""),
                status_pill(each),
            ]
            for each in found[:MOST_RELATED]
        ]
        heads = [_("Message"), head(Message, "address"), head(Message, "contact"), head(Message, "status")]
        note = more_than() if len(rows) == MOST_RELATED else ""
        yield Panel(_("Messages"), heads, rows, _("No message was made for it."), note)


@admin.register(Report)
class ReportAdmin(RecordAdmin[Report]):
    list_display = ("number", "provider_name", "received", "state_shown", "events", "unmatched", "tries", "error_line")
    list_filter = (StateFilter, ProviderFilter)
    indexed_filters = frozenset({StateFilter.parameter_name})
    actions = ("replay_selected",)
    search_help_text = gettext_lazy("A report's number, or a message's token or provider's id: the reports about it.")
    fieldsets = (
        (None, {"fields": ("state_shown", "error_shown", "events", "unmatched", "tries", "next_try")}),
        (
            gettext_lazy("As it came"),
            {"fields": ("provider_name", "received", "path", "content_type", "size", "body_shown")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Report]":
        return super().get_queryset(request).defer("body")

    def search(self, rows: "QuerySet[Report, Any]", typed: str) -> "QuerySet[Report, Any]":
        number = number_of(typed)
        if number:
            return rows.filter(pk=number)
        about = DeliveryEvent.objects.filter(message_id__in=find_messages(typed)).values_list("report_id", flat=True)
        return rows.filter(pk__in={found for found in about.distinct()[:MOST_READ] if found})

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("messaging.change_report")

    @admin.action(description=gettext_lazy("Replay: read and apply again"), permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: "QuerySet[Report]") -> None:
        self._replay(request, [report.pk for report in queryset.only("pk")])

    def replay_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue one report again. POST only, with the permission to change reports."""
        if request.method != "POST" or not self.has_replay_permission(request):
            raise PermissionDenied
        report = get_object_or_404(Report.objects.only("pk"), pk=pk)
        self._replay(request, [report.pk])
        return redirect("admin:messaging_report_change", pk)

    def _replay(self, request: HttpRequest, ids: list[int]) -> None:
        chosen = Report.objects.filter(pk__in=ids)
        queued = replay(chosen)
        log = LogEntry.objects.log_actions
        log(request.user.pk, chosen.defer("body"), CHANGE, change_message=_("Replayed."))  # type: ignore[arg-type]
        said = ngettext("%(n)d report is read and applied again.", "%(n)d reports are read and applied again.", queued)
        again = _("What was recorded before stays as it is. Load the page again in a moment to see the outcome.")
        self.message_user(request, f"{said % {'n': queued}} {again}", messages.SUCCESS)

    def body(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The whole body as it came, to download; never shown as a page of ours."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = get_object_or_404(Report, pk=pk)
        response = HttpResponse(bytes(report.body), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="report-{report.pk}.bin"'
        return response

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("<int:pk>/replay/", guarded(self.replay_one), name="messaging_report_replay"),
            path("<int:pk>/body/", guarded(self.body), name="messaging_report_body"),
            *super().get_urls(),
        ]

    def tools(self, request: HttpRequest, row: Report) -> Iterable[Tool]:
        if self.has_replay_permission(request):
            yield Tool(_("Replay"), reverse("admin:messaging_report_replay", args=[row.pk]), "arrow", is_post=True)
        yield Tool(_("Download the body"), reverse("admin:messaging_report_body", args=[row.pk]))

    def panels(self, request: HttpRequest, row: Report) -> Iterable[Panel]:
        if self.may_view(request, DeliveryEvent):
            yield contents_panel(row, contents_of(row))

    @admin.display(description=gettext_lazy("number"))
    def number(self, report: Report) -> str:
        return f"#{report.pk}"

    @admin.display(description=gettext_lazy("provider"))
    def provider_name(self, report: Report) -> str:
        return label_of(report.provider)

    @admin.display(description=gettext_lazy("received"))
    def received(self, report: Report) -> SafeString:
        return clock(report.received_at)

    @admin.display(description=gettext_lazy("state"))
    def state_shown(self, report: Report) -> SafeString:
        return state_pill(report)

    @admin.display(description=gettext_lazy("next try"))
    def next_try(self, report: Report) -> object:
        return or_dash(clock(report.next_at))

    @admin.display(description=gettext_lazy("error"))
    def error_line(self, report: Report) -> str:
        return first_line(report.error)

    @admin.display(description=gettext_lazy("error"))
    def error_shown(self, report: Report) -> object:
        return format_html("<pre>{}</pre>", report.error) if report.error else "–"

    @admin.display(description=gettext_lazy("size"))
    def size(self, report: Report) -> str:
        return filesizeformat(len(report.body))

    @admin.display(description=gettext_lazy("body"))
    def body_shown(self, report: Report) -> SafeString:
        shown = readable(bytes(report.body), report.content_type)
        if shown.is_whole:
            return format_html('<pre tabindex="0">{}</pre>', shown.text)
        url, rest = reverse("admin:messaging_report_body", args=[report.pk]), _("Cut here. Download the whole")
        return format_html('<pre tabindex="0">{}…</pre><a href="{}">{}</a>', shown.text, url, rest)


def contents_panel(report: Report, contents: Contents) -> Panel:
    heads = [head(DeliveryEvent, "kind"), head(DeliveryEvent, "occurred_at"), _("Message"), _("Why"), _("Recorded")]
    rows = [told_row(report, told) for told in contents.told]
    note = " ".join(contents.problems[:10])
    if contents.events > MOST_READ:
        note = f"{note} {more_than(MOST_READ)} {_('It has %(n)d.') % {'n': contents.events}}"
    return Panel(_("Events, as the report reads today"), heads, rows, _("No event can be read out of it."), note)


def told_row(report: Report, told: Told) -> list[object]:
    source = told.event or told.recorded
    assert source is not None
    message = (told.recorded and told.recorded.message_id) or source.message_id
    channel = providers()[report.provider].channel if report.provider in providers() else Channel.EMAIL
    code = told.event.code if told.event else code_of(told.recorded)  # type: ignore[arg-type]
    why = " · ".join(filter(None, (source.reason and reason_of(source.reason).label(channel), code)))
    occurred: datetime = (told.recorded or source).occurred_at
    shown = link_to(Message, message) if told.recorded else message and f"#{message}"
    return [Kind(source.kind).label, clock(occurred), or_dash(shown), why, recorded_words(report, told)]


def recorded_words(report: Report, told: Told) -> SafeString:
    if told.recorded is None:
        return pill(Look.WARN, "minus", _("No"))
    if told.event is None:
        return pill(Look.IDLE, "question", _("Yes, as it read before the rules changed"))
    at = clock(told.recorded.recorded_at)
    if told.recorded.report_id == report.pk:
        return format_html("{} {}", pill(Look.GOOD, "check", _("Yes")), at)
    return format_html(
        "{} {}", pill(Look.GOOD, "check", _("By an earlier report")), link_to(Report, told.recorded.report_id) or at
    )


@admin.register(DeliveryEvent)
class DeliveryEventAdmin(RecordAdmin[DeliveryEvent]):
    list_display = (
        "kind_shown",
        "recorded",
        "occurred",
        "message_link",
        "provider_name",
        "reason",
        "code",
        "report_link",
    )
    ordering = ("recorded_at", "occurred_at", "key")
    list_per_page = MOST_RELATED
    needs_question = True
    search_help_text = gettext_lazy("A message's number, token or provider's id; or an event's key.")
    fieldsets = (
        (None, {"fields": ("kind_shown", "shows_as", "message_link", "report_link", "provider_name", "recorded", "occurred")}),
        (gettext_lazy("What it says"), {"fields": ("reason", "reply_code", "status_code", "provider_code", "diagnostic", "said_by", "is_automatic")}),
    )  # fmt: skip

    def search(self, rows: "QuerySet[DeliveryEvent, Any]", typed: str) -> "QuerySet[DeliveryEvent, Any]":
        meant = Q(message_id__in=find_messages(typed))
        try:
            meant |= Q(key=UUID(typed))
        except ValueError:
            pass
        return rows.filter(meant)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DeliveryEvent | None:
        found = super().get_object(request, object_id, from_field)
        return found

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

    @admin.display(description=gettext_lazy("code"))
    def code(self, event: DeliveryEvent) -> str:
        return code_of(event)

    @admin.display(description=gettext_lazy("report"))
    def report_link(self, event: DeliveryEvent) -> object:
        return or_dash(link_to(Report, event.report_id))


@admin.register(Refusal)
class RefusalAdmin(RecordAdmin[Refusal]):
    list_display = ("day", "provider", "count", "last_at")
    search_fields = ()
    fields = ("day", "provider", "count", "last_at")
