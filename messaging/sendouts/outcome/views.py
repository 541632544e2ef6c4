"""What became of a send-out: a part of its page that looks for news by itself, and its messages as CSV."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Channel
from contacts.pages import HtmxRequest, is_partial, page
from messaging.delivery.email_routes import Relay
from messaging.models import SendOut
from messaging.sendouts.outcome import exporting
from messaging.sendouts.outcome.chart import LINES, chart_of
from messaging.sendouts.outcome.reading import outcome_of
from messaging.sendouts.progress import seconds_to_news
from messaging.sendouts.totals import totals_of
from messaging.status.order import Status


@page("messaging.view_sendout")
def outcome(request: HtmxRequest, pk: int) -> HttpResponse:
    """For HTMX, which asks now and then."""
    found = get_object_or_404(SendOut.objects.select_related("content"), pk=pk)
    if not is_partial(request):
        return redirect(found)
    context = {"send_out": found, "totals": totals_of([pk])[pk], **outcome_context(found)}
    return render(request, "messaging/send_out_outcome.html", context)


def outcome_context(found: SendOut) -> dict[str, Any]:
    return {
        "became": outcome_of(found),
        "chart": chart_of(found),
        "lines": LINES,
        "is_email": found.channel == Channel.EMAIL,
        "is_live": bool(seconds_to_news(found)),
    }


def why_unknown(found: SendOut) -> str:
    """Why messages show Unknown, and what to make of that."""
    if found.channel == Channel.SMS:
        return _("Handed over, and the network has not said yet what became of it; after 48 hours it has expired.")
    if isinstance(settings.EMAIL_ROUTE, Relay):
        return _(
            "Handed over to the mail relay, which tells us only what it could not deliver. Most of these have arrived: "
            "what bounces does so within minutes, or within days where the receiving server is out of reach."
        )
    return _(
        "Handed over, and nobody has said yet what became of it. Most reports come within minutes; where one never "
        "comes, the message may have arrived all the same. It is not sent again."
    )


@page("messaging.view_sendout", "messaging.view_message", "messaging.export_sendout")
def export(request: HtmxRequest, pk: int) -> StreamingHttpResponse:
    """Its messages, a piece at a time; names and addresses only for who may see contacts."""
    found = get_object_or_404(SendOut, pk=pk)
    status = request.GET.get("status", "")
    if status and status not in Status.values:
        raise Http404
    rows = exporting.as_csv(found, status, is_personal=request.user.has_perm("contacts.view_contact"))
    response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    name = f"send-out-{found.pk}-{timezone.localtime():%Y-%m-%d-%H%M}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
