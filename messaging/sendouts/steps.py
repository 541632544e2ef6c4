"""The pages on which a marketer fills in a send-out: name, audience, content, control group, and the final page."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, Final, TypeVar, cast

from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import transaction
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.http import HttpResponseClientRedirect

from contacts.lines import UnreadableListError
from contacts.models import Channel, Contact
from contacts.pages import HtmxRequest, and_stay, is_more, is_partial, page, size_of
from engage.keyset import LARGEST, number_in
from messaging.delivery.transport_factory import slug_of
from messaging.sendouts import contents, drafts, lifecycle, lists, recipient_resolution
from messaging.sendouts.audience import Audience, Having, IsOnList, Members, read
from messaging.sendouts.concerns import concerns
from messaging.sendouts.forms import (
    AudienceForm,
    EmailContentForm,
    NameForm,
    SettingForm,
    SmsContentForm,
    StartForm,
    initial_of,
)
from messaging.sendouts.lifecycle import WrongStateError
from messaging.sendouts.models import AddressList, SendOut, SendOutChange, State, Why
from messaging.status.order import Status

MAKE: Final = ("messaging.view_sendout", "messaging.make_sendout")
BOTH: Final = ("GET", "HEAD", "POST")
STEPS: Final = (
    ("audience", gettext_lazy("Audience"), "messaging:send_out_audience"),
    ("content", gettext_lazy("Content"), "messaging:send_out_content"),
    ("setting", gettext_lazy("Control group"), "messaging:send_out_setting"),
    ("final", gettext_lazy("Check and start"), "messaging:send_out_final"),
)
SETTINGS: Final = ("control_percentage", "is_transactional", "tracks_opens", "tracks_clicks")
View = TypeVar("View", bound=Callable[..., HttpResponse])


@page(*MAKE, methods=BOTH)
def new(request: HtmxRequest) -> HttpResponse:
    form = NameForm(request.POST or None, initial={"channel": Channel.EMAIL})
    if not form.is_valid():
        return _render(request, "messaging/send_out_new.html", {"form": form}, is_bad=form.is_bound)
    made = drafts.create_once(request.user.pk, **form.cleaned_data)
    return redirect("messaging:send_out_audience", made.pk)


def for_draft(view: View) -> View:
    """A page of a draft; of what is a draft no more, its own page tells instead."""

    @wraps(view)
    def guarded(request: HtmxRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, pk, *args, **kwargs)
        except WrongStateError as error:
            if not _has_just_left(request, pk):
                messages.warning(
                    request, _("It cannot be edited any more: it is %(state)s.") % {"state": error.state.label}
                )
            to_its_page = HttpResponseClientRedirect if is_partial(request) else HttpResponseRedirect
            return to_its_page(reverse("messaging:send_out", args=[pk]))

    return cast("View", guarded)


def _has_just_left(request: HtmxRequest, pk: int) -> bool:
    """Whether that is what this person wanted: they pressed "Start" twice."""
    kinds = (SendOutChange.Kind.STARTED, SendOutChange.Kind.SCHEDULED)
    just_now = timezone.now() - drafts.PRESSED_TWICE_WITHIN
    mine = SendOutChange.objects.filter(send_out=pk, kind__in=kinds, actor=request.user.pk, at__gt=just_now)
    return request.method == "POST" and "when" in request.POST and mine.exists()


@page(*MAKE, methods=BOTH)
@for_draft
@transaction.atomic
def audience(request: HtmxRequest, pk: int) -> HttpResponse:
    """Show or save whom the draft goes to.

    A list that is pasted or uploaded is kept once it is saved, and what was found in it is told.
    """
    send_out = draft_of(pk, locks=request.method == "POST")
    saved, seen = read(send_out.audience), version_of(send_out, "audience")
    if request.method != "POST":
        context = {"form": AudienceForm(initial=initial_of(saved)), "seen": seen, **_told(send_out, saved)}
        return _step(request, send_out, "audience", context)
    form = AudienceForm(request.POST, request.FILES, initial=initial_of(saved))
    if "count" in request.POST:
        told = {"form": form, "seen": request.POST.get("seen", seen), **_looked_at(send_out, form)}
        return _step(request, send_out, "audience", told, is_bad=not form.is_valid())
    if request.POST.get("seen", seen) != seen and not _is_saved(form, saved, request.user.pk):
        form.add_error(
            None, _("Somebody has saved another audience meanwhile. Yours stands here; saving it replaces theirs.")
        )
    chosen, kept = _chosen(form, send_out.channel, request.user.pk) if form.is_valid() else (None, None)
    if chosen is None:
        return _step(request, send_out, "audience", {"form": form, "seen": seen}, is_bad=True)
    drafts.save_audience(send_out, chosen, request.user.pk)
    if kept is not None:
        return redirect("messaging:send_out_audience", pk)
    return redirect("messaging:send_out_content", pk)


@page(*MAKE, methods=("POST",))
@for_draft
def count(request: HtmxRequest, pk: int) -> HttpResponse:
    """How many that would be, as somebody fills in the audience. Saves nothing."""
    send_out = draft_of(pk)
    initial, unsent = initial_of(read(send_out.audience)), request.POST.get("unsent", "")
    form = AudienceForm(request.POST, request.FILES, initial=initial, unsent=unsent)
    context = {"send_out": send_out, "form": form, "is_live": True, **_looked_at(send_out, form)}
    return render(request, "messaging/send_out_count.html", context)


@page(*MAKE, methods=BOTH)
@for_draft
@transaction.atomic
def content(request: HtmxRequest, pk: int) -> HttpResponse:
    """Show or save what the draft says."""
    send_out = draft_of(pk, locks=request.method == "POST")
    made_of = EmailContentForm if send_out.channel == Channel.EMAIL else SmsContentForm
    said = {name: getattr(send_out.content, name) for name in drafts.SAID} if send_out.content else {}
    initial = said | {name: getattr(send_out, name) for name in ("sender_name", "sender")}
    if said.get("mjml"):
        initial["html"] = said["mjml"]
    form = made_of(request.POST or None, initial=initial)
    version = f"{send_out.content_id or ''} {version_of(send_out, 'sender')}"
    if form.is_valid() and request.POST.get("seen", version) != version and _changes(form, said, send_out):
        form.add_error(
            None, _("Somebody has saved another text meanwhile. Yours stands here; saving it replaces theirs.")
        )
    if not form.is_valid():
        return _step(request, send_out, "content", {"form": form, "seen": version}, is_bad=form.is_bound)
    filled = form.cleaned_data
    senders = {name: filled[name] for name in ("sender_name", "sender") if name in filled}
    drafts.save(send_out, request.user.pk, "sender", **senders)
    drafts.save_content(send_out, request.user.pk, **{name: filled.get(name, "") for name in drafts.SAID})
    if "preview" in request.POST:
        return redirect("messaging:send_out_preview", pk)
    return redirect("messaging:send_out_setting", pk)


@page(*MAKE, methods=BOTH)
@for_draft
@transaction.atomic
def setting(request: HtmxRequest, pk: int) -> HttpResponse:
    """Control group, and whether it is transactional."""
    send_out = draft_of(pk, locks=request.method == "POST")
    form = SettingForm(request.POST or None, initial={name: getattr(send_out, name) for name in SETTINGS})
    seen = version_of(send_out, "setting")
    if form.is_valid() and request.POST.get("seen", seen) != seen and _changes(form, {}, send_out):
        form.add_error(
            None, _("Somebody has saved another control group meanwhile. Yours stands here; saving it replaces theirs.")
        )
    if not form.is_valid():
        return _step(request, send_out, "setting", {"form": form, "seen": seen}, is_bad=form.is_bound)
    drafts.save(send_out, request.user.pk, "setting", **form.cleaned_data)
    return redirect("messaging:send_out_final", pk)


@page(*MAKE, methods=BOTH)
@for_draft
def final(request: HtmxRequest, pk: int) -> HttpResponse:
    """How many get it, how many do not and why; and the button that starts it."""
    send_out = draft_of(pk)
    form = StartForm(request.POST or None)
    if form.is_bound and request.POST.get("seen", latest := latest_change(send_out)) != latest:
        form.add_error(None, _("It was changed since you opened this page. Look at it once more, then start it."))
    if send_out.content_id is None or faults_of(send_out) or not form.is_valid():
        return _ask_start(request, send_out, form)
    if form.cleaned_data["when"] == "later":
        lifecycle.schedule(pk, form.cleaned_data["at"], request.user.pk)
        messages.success(request, _("Scheduled."))
    else:
        lifecycle.start(pk, request.user.pk)
        messages.success(request, _("Started."))
    return HttpResponseRedirect(send_out.get_absolute_url())


@page(*MAKE, "contacts.view_contact")
@for_draft
def members(request: HtmxRequest, pk: int, outcome: str) -> HttpResponse:
    """The contacts behind a number of the final page."""
    send_out = draft_of(pk)
    before, size = number_in(request.GET.get("before", "")) or LARGEST, size_of(request)
    numbers = (
        recipient_resolution.members(recipient_resolution.rules_of(send_out), outcome, before, size + 1)
        if outcome in OUTCOMES
        else []
    )
    found = Contact.objects.in_bulk(numbers[:size])
    context = {
        "send_out": send_out,
        "heading": OUTCOMES.get(outcome, ""),
        "contacts": [found[number] for number in numbers[:size] if number in found],
        "before": numbers[size - 1] if len(numbers) > size else None,
        "back": reverse("messaging:send_out_final", args=[pk]),
    }
    template = "messaging/send_out_member_rows.html" if is_more(request) else "messaging/send_out_members.html"
    return and_stay(request, render(request, template, {**context, "is_more": is_more(request)}))


OUTCOMES: Final[dict[str, Any]] = {
    Status.WAITING.value: gettext_lazy("Get it"),
    Status.CONTROL_GROUP.value: Status.CONTROL_GROUP.label,
    **{why.value: why.label for why in Why},
}


def latest_change(send_out: SendOut) -> str:
    """Names the state in which somebody sees the draft: every edit writes a line of its history."""
    edits = send_out.changes.exclude(kind=SendOutChange.Kind.TESTED)
    return str(edits.order_by("-pk").values_list("pk", flat=True).first() or "")


def _is_saved(form: AudienceForm, saved: Audience, actor_id: int) -> bool:
    """Whether that is what is saved already: the button was pressed twice."""
    if not form.is_valid():
        return False
    given = form.new_list()
    if given is None:
        return form.audience() == saved
    just_now = timezone.now() - drafts.PRESSED_TWICE_WITHIN
    mine = AddressList.objects.filter(created_by=actor_id, created_at__gt=just_now, name=given[0])
    return isinstance(saved, IsOnList) and mine.filter(pk=saved.list).exists()


def _changes(form: Form, said: Mapping[str, Any], send_out: SendOut) -> bool:
    """Whether saving it would change anything: not where the button was pressed twice."""
    saved = {name: said[name] if name in said else getattr(send_out, name, "") for name in form.cleaned_data}
    return bool(form.cleaned_data != saved)


def version_of(send_out: SendOut, part: str) -> str:
    """Names what is saved of one part of the draft: so an edit of another part stops nobody."""
    edits = send_out.changes.filter(kind=SendOutChange.Kind.EDITED, detail=part)
    return str(edits.order_by("-pk").values_list("pk", flat=True).first() or "")


def draft_of(pk: int, *, locks: bool = False) -> SendOut:
    """The send-out, if it can be edited. Raises Http404, and WrongStateError.

    `locks`: until the end of the transaction nobody else does, so that of two at the same moment the second is told.
    """
    found = SendOut.objects.select_related("content")
    if locks:
        found = found.select_for_update(no_key=True, of=("self",))
    send_out = get_object_or_404(found, pk=pk)
    if send_out.state != State.DRAFT:
        raise WrongStateError(State(send_out.state))
    return send_out


def _chosen(form: AudienceForm, channel: str, actor_id: int) -> tuple[Audience | None, AddressList | None]:
    """The audience, and the list if it was kept just now. No audience: the form says why."""
    given = form.new_list()
    if given is None:
        return form.audience(), None
    try:
        kept = lists.keep(*given, actor_id, channel)
    except lists.TooLongError:
        form.add_error(None, _("The list has more than %(n)s lines.") % {"n": intcomma(lists.MOST_LINES)})
    except UnreadableListError as error:
        form.add_error(form.place_of_list(), str(error))
    else:
        return IsOnList(kept.pk), kept
    return None, None


def _looked_at(send_out: SendOut, form: AudienceForm) -> dict[str, Any]:
    """What is to be told of an audience that is being filled in; of a list that is not kept yet, too."""
    if not form.is_valid():
        return {}
    try:
        if form.is_too_long_to_look():
            raise lists.TooLongError
        given = form.new_list()
        if given is None:
            return _told(send_out, form.audience())
        found, addresses = lists.look(*given, send_out.channel)
    except lists.TooLongError:
        return {"is_too_long": True}
    except UnreadableListError as error:
        form.add_error(form.place_of_list(), str(error))
        return {}
    return _counted(send_out, Having(addresses), found)


def _told(send_out: SendOut, chosen: Audience) -> dict[str, Any]:
    listed = AddressList.objects.filter(pk=chosen.list).first() if isinstance(chosen, IsOnList) else None
    return _counted(send_out, chosen, listed)


def _counted(send_out: SendOut, chosen: Members, listed: AddressList | None) -> dict[str, Any]:
    """The count of an audience, and what is on its list if it is one."""
    is_few = listed is not None and listed.known <= lists.MOST_LIVE_LINES
    found = recipient_resolution.live_counts(
        replace(recipient_resolution.rules_of(send_out), audience=chosen), is_few=is_few
    )
    return {"list": listed, "counts": found, "reasons": reasons_of(found)}


def reasons_of(found: recipient_resolution.Counts) -> list[tuple[str, Any, int]]:
    """Why members get nothing: outcome, words and number, of what there is."""
    return [(key, label, n) for key, label in OUTCOMES.items() if key != Status.WAITING and (n := found.of(key))]


def _ask_start(request: HtmxRequest, send_out: SendOut, form: StartForm) -> HttpResponse:
    found = recipient_resolution.counts(recipient_resolution.rules_of(send_out))
    context = {
        "form": form, "counts": found, "reasons": reasons_of(found), "is_empty": not found.get_it,
        "seen": latest_change(send_out), "audience_says": describe(send_out),
        "can_leave": bool(slug_of(send_out.channel)), "faults": faults_of(send_out),
    }  # fmt: skip
    return _step(request, send_out, "final", context, is_bad=form.is_bound)


def faults_of(send_out: SendOut) -> list[str]:
    """What keeps its content from being sent; drafts of before were saved by other rules."""
    said = send_out.content
    if said is None:
        return []
    found = contents.problems(send_out.channel, subject=said.subject, html=said.html, text=said.text)
    return [each for wrong in found.values() for each in wrong]


def describe(send_out: SendOut) -> str:
    """The audience in few words."""
    chosen = read(send_out.audience)
    if isinstance(chosen, IsOnList):
        found = AddressList.objects.filter(pk=chosen.list).first()
        return _("The list “%(name)s”") % {"name": found.name if found else chosen.list}
    return _("Everybody") if chosen.kind == "all" else _("A segment")


def _step(
    request: HtmxRequest, send_out: SendOut, step: str, context: dict[str, Any], *, is_bad: bool = False
) -> HttpResponse:
    everything = {"send_out": send_out, "step": step, "steps": STEPS, **context}
    if step != "audience" and send_out.content:
        everything["concerns"] = concerns(send_out.content, send_out.channel)
    return _render(request, f"messaging/send_out_{step}.html", everything, is_bad=is_bad)


def _render(request: HtmxRequest, template: str, context: dict[str, Any], *, is_bad: bool) -> HttpResponse:
    return render(request, template, context, status=422 if is_bad else 200)
