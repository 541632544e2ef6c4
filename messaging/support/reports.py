"""Reports as support staff see them: what came, what was read out of it, and replay."""

# ruff: noqa: ARG002 -- Django's hooks hand over more than each of them needs

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from contacts.models import Channel
from contacts.templatetags.looks import clock, pill
from engage.admin_cells import MOST_RELATED, NOTHING, head, link_to, or_dash, shortened
from engage.large_tables import MOST_COUNTED, Panel, RecordAdmin, Tool, number_of, up_to
from messaging.inbox.reparse import MOST as MOST_READ
from messaging.inbox.reparse import Contents, ReparsedEvent, contents_of
from messaging.inbox.reports import replay
from messaging.models import DeliveryEvent, Message, Report
from messaging.providers.registry import label_of, providers
from messaging.status.order import Kind, Look
from messaging.support.pretty_print import readable
from messaging.support.search import find_messages
from messaging.support.words import NEED_A_LOOK, STATE_LOOKS, ProviderFilter, state_pill, why_words


class StateFilter(admin.SimpleListFilter):
    """The states that an index answers: those that need a look, and what lies in the inbox."""

    title = gettext_lazy("state")
    parameter_name = "state"
    INBOX: Final = "inbox"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        counted = [(state.value, state.label, Report.objects.filter(state=state)) for state in NEED_A_LOOK]
        waiting = (self.INBOX, Report.State.NEW.label, in_inbox())
        return [(value, f"{label} ({counted_up_to(rows)})") for value, label, rows in [*counted, waiting]]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any] | None":
        if self.value() == self.INBOX:
            first = in_inbox().order_by("next_at", "pk").values_list("pk", flat=True)
            return queryset.filter(pk__in=list(first[:MOST_READ]))
        return queryset.filter(state=self.value()) if self.value() in NEED_A_LOOK else None


def in_inbox() -> "QuerySet[Report, Any]":
    """What a worker is to read next; the second condition is that of the index."""
    return Report.objects.filter(state=Report.State.NEW, next_at__isnull=False)


def needing_a_look(request: HttpRequest) -> list[tuple[SafeString, str, str]]:
    """The states of reports that may want a person: sign and words, how many, where to see them. For the index page."""
    if not request.user.has_perm("messaging.view_report"):
        return []
    return [
        (
            pill(*STATE_LOOKS[state], state.label),
            counted_up_to(Report.objects.filter(state=state)),
            reverse("admin:messaging_report_changelist", query={"state": state.value}),
        )
        for state in NEED_A_LOOK
    ]


def counted_up_to(rows: "QuerySet[Any, Any]", most: int = MOST_COUNTED) -> str:
    found = up_to(rows, most)
    return f"{most - 1}+" if found >= most else str(found)


class ReportAdmin(RecordAdmin[Report]):
    list_display = ("number", "state_shown", "received", "provider_name", "events", "unmatched", "tries", "error_line")
    list_filter = (StateFilter, ProviderFilter)
    indexed_filters = frozenset({StateFilter.parameter_name})
    actions = ("replay_selected",)
    search_help_text = gettext_lazy("A report's number, or a message's token or provider's id: the reports about it.")
    fieldsets = (
        (None, {"fields": ("state_shown", "error_shown", "events", "unmatched", "tries", "next_try")}),
        (
            gettext_lazy("As it came"),
            {"fields": ("provider_name", "received", "path", "content_type", "headers", "size", "body_shown")},
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

    @method_decorator(require_POST)
    def replay_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_replay_permission(request):
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
        yield replays_panel(row)

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
        return shortened(report.error.partition("\n")[0])

    @admin.display(description=gettext_lazy("error"))
    def error_shown(self, report: Report) -> object:
        return format_html('<pre tabindex="0">{}</pre>', report.error) if report.error else NOTHING

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


def replays_panel(report: Report) -> Panel:
    found = LogEntry.objects.filter(content_type=get_content_type_for_model(report), object_id=str(report.pk))
    rows = [[clock(each.action_time), each.user] for each in found.select_related("user")[:MOST_RELATED]]
    return Panel(_("Replays"), [_("When"), _("Who")], rows, _("Nobody has replayed it here."))


def contents_panel(report: Report, contents: Contents) -> Panel:
    heads = [head(DeliveryEvent, "kind"), head(DeliveryEvent, "occurred_at"), _("Message"), _("Why"), _("Recorded")]
    rows = [told_row(report, told) for told in contents.told]
    note = " ".join(contents.problems[:10])
    if not contents.is_whole:
        note = f"{note} {_('The report is long: only its beginning is read here.')}".strip()
    return Panel(_("Events, as the report reads today"), heads, rows, _("No event can be read out of it."), note)


def told_row(report: Report, told: ReparsedEvent) -> list[object]:
    channel = providers()[report.provider].channel if report.provider in providers() else Channel.EMAIL
    return [
        Kind(told.kind).label,
        clock(told.occurred_at),
        link_to(Message, told.message_id) if told.recorded else or_dash(told.message_id and f"#{told.message_id}"),
        why_words(told.reason, told.code, channel),
        recorded_words(report, told.recorded, is_read=told.event is not None),
    ]


def recorded_words(report: Report, recorded: DeliveryEvent | None, *, is_read: bool) -> SafeString:
    if recorded is None:
        return pill(Look.WARN, "minus", _("No"))
    if not is_read:
        return pill(Look.IDLE, "question", _("Yes, as it read before the rules changed"))
    if recorded.report_id == report.pk:
        return format_html("{} {}", pill(Look.GOOD, "check", _("Yes")), clock(recorded.recorded_at))
    return format_html("{} {}", pill(Look.GOOD, "check", _("Yes, from report")), link_to(Report, recorded.report_id))
