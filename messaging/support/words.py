"""How the admin pages of messages and reports name things: signs and words, never colour alone."""

# ruff: noqa: ARG002 -- Django's hooks hand over more than each of them needs

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from contacts.templatetags.looks import pill
from messaging.bounces.reasons import reason_of
from messaging.models import DeliveryEvent, Report
from messaging.providers.registry import providers
from messaging.status.order import Look

STATE_LOOKS: Final[dict[Report.State, tuple[Look, str]]] = {
    Report.State.NEW: (Look.IDLE, "tray"),
    Report.State.APPLIED: (Look.GOOD, "check"),
    Report.State.UNMATCHED: (Look.WARN, "clock"),
    Report.State.SET_ASIDE: (Look.BAD, "question"),
    Report.State.UNREADABLE: (Look.BAD, "cross"),
}
# The states in which a report may want a person; the index `report_look` holds just these.
NEED_A_LOOK: Final = (Report.State.UNREADABLE, Report.State.SET_ASIDE, Report.State.UNMATCHED)
FOUND_BY: Final = gettext_lazy(
    "A message's number, its token, the provider's id, a contact's GUID, or an email or mobile number in full."
)


def state_pill(report: Report) -> SafeString:
    state = Report.State(report.state)
    return pill(*STATE_LOOKS[state], state.label)


def code_of(event: DeliveryEvent) -> str:
    return " ".join(filter(None, (event.reply_code, event.status_code, event.provider_code)))


def why_words(reason: str, code: str, channel: str) -> str:
    """The reason in two or three words, and the code."""
    return " · ".join(filter(None, (reason and reason_of(reason).label(channel), code)))


class ProviderFilter(admin.SimpleListFilter):
    """By the providers we know: asking the table which it holds would read all of it."""

    title = gettext_lazy("provider")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        known = providers().items()
        return [(slug, each.label) for slug, each in known if slug == self.value() or each.is_set_up()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any] | None":
        return queryset.filter(provider=self.value()) if self.value() else None
