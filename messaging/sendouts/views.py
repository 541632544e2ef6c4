"""The list of send-outs, the page of each, and what a message says as its contact got it."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django_htmx.http import HttpResponseClientRedirect

from contacts import search
from contacts.models import Channel, Contact
from contacts.pages import HtmxRequest, is_partial, page, render_dialog
from engage.keyset import page_of
from engage.wake import wake
from messaging.card.headings import Headings, heading_of
from messaging.card.rows import listed, rows_of
from messaging.models import Message, SendOut
from messaging.sendouts import contents, lifecycle, restored, single
from messaging.sendouts.concerns import concerns
from messaging.sendouts.lifecycle import WrongStateError
from messaging.sendouts.models import Progress, State, Why
from messaging.sendouts.outcome.finding import NO_REASON, shown_by
from messaging.sendouts.outcome.reading import in_doubt, label_of
from messaging.sendouts.outcome.views import outcome_context, why_unknown
from messaging.sendouts.progress import seconds_to_news, standing_of
from messaging.sendouts.single import NotSendableError
from messaging.sendouts.slowness import absence_of, kept_back, slowed_by, stopped_by
from messaging.sendouts.tags import TagError, Values
from messaging.sendouts.totals import Totals, totals_of
from messaging.status.order import EMAIL_STATUSES, LOOKS, SMS_STATUSES, Status

SEE: Final = ("messaging.view_sendout",)
LOOKS_OF_STATES: Final = {
    State.DRAFT: ("idle", "pencil"), State.SCHEDULED: ("idle", "clock"), State.SENDING: ("warn", "arrow"),
    State.PAUSED: ("warn", "minus"), State.DONE: ("good", "check"), State.CANCELLED: ("idle", "cross"),
}  # fmt: skip
# What may be done in which state, to which it leads, and what the button is called.
MOVES: Final[dict[str, tuple[tuple[State, ...], State, Any]]] = {
    "pause": ((State.SENDING,), State.PAUSED, gettext_lazy("Pause")),
    "resume": ((State.PAUSED,), State.SENDING, gettext_lazy("Go on")),
    "unschedule": ((State.SCHEDULED,), State.DRAFT, gettext_lazy("Back to draft")),
    "cancel": ((State.SCHEDULED, State.SENDING, State.PAUSED), State.CANCELLED, gettext_lazy("Cancel it for good")),
}
# A mail's own HTML: no scripts, nothing of ours; pictures from where it says.
FRAME_POLICY: Final = (
    "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
)


@page(*SEE)
def send_outs(request: HtmxRequest) -> HttpResponse:
    found = page_of(SendOut.objects.all(), request.GET.get("before", ""))
    totals = totals_of([each.pk for each in found.rows])
    rows = [(each, look_of(each), totals[each.pk], counts_of(each, totals[each.pk])) for each in found.rows]
    return render(request, "messaging/send_outs.html", {"page": found, "rows": rows})


@page(*SEE)
def send_out(request: HtmxRequest, pk: int) -> HttpResponse:
    """How far it is and what became of its messages; for HTMX, which asks again and again, that alone."""
    found = get_object_or_404(SendOut.objects.select_related("content"), pk=pk)
    if found.state == State.DRAFT:
        return redirect("messaging:send_out_audience", pk)
    context = {"send_out": found, **standing(found)}
    if is_partial(request) and request.htmx.target == "pulse":
        return render(request, "messaging/send_out_pulse.html", context)
    context |= outcome_context(found)
    context["changes"] = found.changes.select_related("actor").order_by("-pk")[:30]
    return render(request, "messaging/send_out.html", context)


def standing(found: SendOut) -> dict[str, Any]:
    totals = totals_of([found.pk])[found.pk]
    progress = Progress.objects.filter(pk=found.pk).first()
    at = standing_of(progress, totals) if progress else None
    return {
        "totals": totals,
        "counts": counts_of(found, totals),
        "why_unknown": why_unknown(found) if totals[Status.UNKNOWN] else "",
        "in_doubt": in_doubt(found.pk) if totals[Status.UNKNOWN] else 0,
        "left_out": [(why, totals[why]) for why in Why if totals[why]],
        "at": at,
        "slowed": slowed_by(found),
        "stopped": stopped_by(found),
        "kept_back": kept_back(found),
        "is_at_work": found.state == State.SENDING,
        "news_in": seconds_to_news(found),
        "look": look_of(found),
        "moves": moves_of(found),
    }


def moves_of(found: SendOut) -> list[tuple[str, Any]]:
    """What may be done now, and what the button is called."""
    moves = [(name, label) for name, (of, _to, label) in MOVES.items() if found.state in of]
    if found.state == State.PAUSED and (found.started_at is None or restored.is_held()):
        moves = [each for each in moves if each[0] != "resume"]
    if found.state == State.PAUSED and found.started_at is None:
        moves.insert(0, ("unschedule", MOVES["unschedule"][2]))
    return moves


def counts_of(found: SendOut, totals: Totals) -> list[tuple[Status, str, str, int, float]]:
    """Status, look, icon, number and share of what was sent to, of all there is; the control group has no share."""
    known = EMAIL_STATUSES if found.channel == Channel.EMAIL else SMS_STATUSES
    return [
        (status, *LOOKS[status], totals[status], _share(totals, status))
        for status in known
        if totals[status]
    ]  # fmt: skip


def _share(totals: Totals, status: Status) -> float:
    return 100 * totals[status] / totals.sent_to if totals.sent_to and status != Status.CONTROL_GROUP else 0.0


def look_of(found: SendOut) -> tuple[str, str]:
    return LOOKS_OF_STATES[State(found.state)]


@page("messaging.view_sendout", "messaging.steer_sendout", methods=("POST",))
def move(request: HtmxRequest, pk: int, action: str) -> HttpResponse:
    """Pause, go on, take back or cancel. What somebody else did first is told, and nothing else happens."""
    found = get_object_or_404(SendOut, pk=pk)
    if action not in MOVES:
        raise Http404
    try:
        getattr(lifecycle, action)(pk, request.user.pk)
    except WrongStateError as error:
        if error.state != MOVES[action][1]:  # else the button was pressed twice, or a colleague did the same
            messages.warning(request, _("Somebody was faster: it is %(state)s.") % {"state": error.state.label})
    return redirect(found)


@page(*SEE, "messaging.view_message", "contacts.view_contact")
def send_out_messages(request: HtmxRequest, pk: int, status: str) -> HttpResponse:
    """The messages of a send-out that show a status, newest first."""
    found = get_object_or_404(SendOut, pk=pk)
    if status not in Status.values:
        raise Http404
    reason, before = request.GET.get("reason", "").replace("\0", ""), request.GET.get("before", "")
    rows = page_of(listed(shown_by(found, status, reason, before)), before)
    holders = Contact.objects.in_bulk([each.contact_id for each in rows.rows if each.contact_id])
    named = [(row, holders.get(row["contact_id"] or 0)) for row in rows_of(rows.rows)]
    context = {"send_out": found, "page": rows, "named": named, "label": Status(status).label, "reason": reason}
    if reason:
        context["reason_label"] = label_of("" if reason == NO_REASON else reason, status, found.channel)
    return render(request, "messaging/send_out_messages.html", context)


@page("messaging.view_message")
def message_content(request: HtmxRequest, pk: int) -> HttpResponse:
    """What the message says, as this contact got it, whatever was edited since."""
    return render_dialog(request, "messaging/message_content.html", _context_of(*_shown(pk)))


@xframe_options_sameorigin
@page("messaging.view_message")
def message_frame(_request: HtmxRequest, pk: int) -> HttpResponse:
    """Its HTML, for the frame of `message_content`."""
    return _framed(_shown(pk)[1].html)


@page("messaging.view_message", "messaging.make_sendout", methods=("GET", "HEAD", "POST"))
def send_again(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask, and send what a message said once more, as a new one."""
    message, shown = _shown(pk)
    if request.method != "POST":
        return render_dialog(request, "messaging/send_again.html", _context_of(message, shown))
    try:
        single.send_again(message)
    except NotSendableError as error:
        context = _context_of(message, shown) | {"refusal": str(error)}
        return render_dialog(request, "messaging/send_again.html", context, status=409)
    _try_soon()
    _tell(request, _("It is on its way once more."), message.channel)
    home = message.contact.get_absolute_url() + "messages/" if message.contact else "/"
    return HttpResponseClientRedirect(home) if is_partial(request) else redirect(home)


@page("messaging.view_sendout", "messaging.make_sendout", methods=("POST",))
def send_test(request: HtmxRequest, pk: int) -> HttpResponse:
    """Send a test of the send-out: to oneself, or by SMS to a contact."""
    found = get_object_or_404(SendOut.objects.select_related("content"), pk=pk)
    try:
        sent = single.send_test(found, request.user, request.POST.get("mobile", ""))
    except NotSendableError as error:
        messages.warning(request, str(error))
    else:
        _try_soon()
        on_its_way = _("A test is on its way to %(address)s.") % {"address": sent.address.value}
        _tell(request, on_its_way, found.channel)
    return redirect("messaging:send_out_preview", pk)


def _tell(request: HtmxRequest, on_its_way: str, channel: str) -> None:
    """That a single message is on its way, or why it waits."""
    absence = absence_of(channel)
    if absence is None:
        messages.success(request, on_its_way)
    else:
        messages.warning(request, _("It waits, and leaves by itself later: %(why)s") % {"why": absence.says})


def _try_soon() -> None:
    """Without a broker the beat comes by."""
    wake("messaging.tasks.try_again")


@page("messaging.view_sendout", "contacts.view_contact")
def preview(request: HtmxRequest, pk: int) -> HttpResponse:
    """What the saved content says to the contact that `who` finds, or to the newest one."""
    found = get_object_or_404(SendOut.objects.select_related("content"), pk=pk)
    contact = search.find(request.GET.get("who", "").strip()).order_by("-pk").first()
    context: dict[str, Any] = {"send_out": found, "contact": contact, "who": request.GET.get("who", "")}
    if found.content is not None and contact is not None:
        context["shown"] = contents.shown(found.content, found.channel, contents.values_of(contact))
    if found.content is not None and found.state == State.DRAFT:
        context["concerns"] = concerns(found.content, found.channel)
    return render(request, "messaging/send_out_preview.html", context)


@xframe_options_sameorigin
@page("messaging.view_sendout", "contacts.view_contact")
def preview_frame(_request: HtmxRequest, pk: int, guid: UUID) -> HttpResponse:
    found = get_object_or_404(SendOut.objects.select_related("content"), pk=pk)
    contact = get_object_or_404(Contact, guid=guid)
    if found.content is None:
        raise Http404
    return _framed(contents.shown(found.content, found.channel, contents.values_of(contact)).html)


def _shown(pk: int) -> tuple[Message, contents.Shown]:
    """Raises Http404, too, for a message of which we do not know what it said."""
    message = get_object_or_404(Message.objects.select_related("content", "contact", "address", "send_out"), pk=pk)
    if message.content is None:
        raise Http404
    try:
        return message, contents.shown(message.content, message.channel, _values(message))
    except TagError as error:
        raise Http404 from error


def _context_of(message: Message, shown: contents.Shown) -> dict[str, Any]:
    return {"message": message, "title": heading_of(message), "contact": message.contact, "shown": shown}


def _values(message: Message) -> Values:
    found = contents.values_of(Headings(message.contact).person_at(message.sent_at))
    return found if message.contact else {**found, "email": message.address.value, "mobile": message.address.value}


def _framed(html: str) -> HttpResponse:
    response = HttpResponse(html or "", content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = FRAME_POLICY  # django-csp leaves one that is there
    return response
