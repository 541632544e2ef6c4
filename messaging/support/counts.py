"""What is counted, as support staff see it: reports by the hour, codes that our tables lack, alarms. All read-only."""

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from contacts.templatetags.looks import clock, pill
from engage.admin_cells import link_to, or_dash
from engage.large_tables import RecordAdmin
from messaging.models import Alarm, Report, Tally, UnlistedCode
from messaging.providers.registry import label_of
from messaging.status.order import Look
from messaging.support.words import ProviderFilter

Row = TypeVar("Row", bound=Model)


class CountAdmin(RecordAdmin[Row]):
    """Small tables with an index by provider, so all of them is looked through for one."""

    list_filter = (ProviderFilter,)
    indexed_filters = frozenset({ProviderFilter.parameter_name})
    search_fields = ()

    @admin.display(description=gettext_lazy("provider"))
    def provider_name(self, row: Tally | UnlistedCode | Alarm) -> str:
        return label_of(row.provider)


class TallyAdmin(CountAdmin[Tally]):
    list_display = (
        "starts", "provider_name", "reports", "events", "unreadable", "unmatched", "set_aside", "refused", "last",
    )  # fmt: skip
    fields = (*list_display, "last_refusal", "dropped", "put_off")

    @admin.display(description=gettext_lazy("hour"))
    def starts(self, tally: Tally) -> SafeString:
        return clock(tally.hour)

    @admin.display(description=gettext_lazy("last report"))
    def last(self, tally: Tally) -> object:
        return or_dash(clock(tally.last_at))

    @admin.display(description=gettext_lazy("last refusal"))
    def last_refusal(self, tally: Tally) -> object:
        return or_dash(clock(tally.refused_at))


class UnlistedCodeAdmin(CountAdmin[UnlistedCode]):
    list_display = ("code", "provider_name", "space", "count", "first", "last", "report_link")
    fields = list_display

    @admin.display(description=gettext_lazy("first seen"))
    def first(self, code: UnlistedCode) -> SafeString:
        return clock(code.first_at)

    @admin.display(description=gettext_lazy("last seen"))
    def last(self, code: UnlistedCode) -> SafeString:
        return clock(code.last_at)

    @admin.display(description=gettext_lazy("latest report"))
    def report_link(self, code: UnlistedCode) -> SafeString:
        return link_to(Report, code.report_id)


class AlarmAdmin(CountAdmin[Alarm]):
    list_display = ("kind_shown", "provider_name", "started", "ended")
    fields = (*list_display, "cause", "detail")

    @admin.display(description=gettext_lazy("kind"))
    def kind_shown(self, alarm: Alarm) -> SafeString:
        look, sign = (Look.IDLE, "check") if alarm.ended_at else (Look.BAD, "bell")
        return pill(look, sign, Alarm.Kind(alarm.kind).label)

    @admin.display(description=gettext_lazy("start"))
    def started(self, alarm: Alarm) -> SafeString:
        return clock(alarm.started_at)

    @admin.display(description=gettext_lazy("end"))
    def ended(self, alarm: Alarm) -> object:
        return or_dash(clock(alarm.ended_at))
