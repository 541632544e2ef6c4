"""The master control group, and how those who were sent a send-out compare with those who were held back."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.db import connection
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from contacts.models import Channel, Contact
from contacts.pages import HtmxRequest, and_stay, is_more, is_partial, page, size_of
from engage.keyset import LARGEST, number_in
from messaging.models import LeftOut, SendOut
from messaging.sendouts import sql
from messaging.sendouts.forms import MasterForm
from messaging.sendouts.models import MasterControl, Progress, Why, new_seed

# So many messages, in the order of their contacts, are enough to compare by, and are looked at in a blink.
COMPARED: Final = 200_000


@dataclass(frozen=True, slots=True)
class ComparedGroup:
    """The people who were sent to, or who were held back, and how many of them have unsubscribed since the start."""

    people: int = 0
    left: int = 0

    @property
    def share(self) -> float:
        """Per cent."""
        return 100 * self.left / self.people if self.people else 0.0


@page("messaging.view_sendout", "messaging.set_master_control", methods=("GET", "HEAD", "POST"))
def master(request: HtmxRequest) -> HttpResponse:
    """Set whom all send-outs leave out."""
    row = MasterControl.objects.select_related("label", "changed_by").first() or MasterControl()
    form = MasterForm(request.POST or None, initial={"percentage": row.percentage, "label": row.label})
    seen = row.changed_at.isoformat() if row.changed_at else ""
    if form.is_valid() and request.POST.get("seen", seen) != seen:
        if (row.percentage, row.label) == (form.cleaned_data["percentage"], form.cleaned_data["label"]):
            return _saved(request)  # the button was pressed twice: nobody is drawn anew
        form.add_error(None, _("Somebody has changed this meanwhile. Yours stands here; saving it replaces theirs."))
    if not form.is_valid():
        context = {"form": form, "row": row, "seen": seen}
        return render(request, "messaging/master_control.html", context, status=422 if form.is_bound else 200)
    row.percentage, row.label, row.changed_by = (
        form.cleaned_data["percentage"],
        form.cleaned_data["label"],
        request.user,
    )
    if form.cleaned_data["draws_anew"]:
        row.seed = new_seed()
    row.save()
    return _saved(request)


def _saved(request: HtmxRequest) -> HttpResponse:
    messages.success(request, _("Saved. It holds for send-outs that start from now on."))
    return redirect("messaging:master_control")


@page("messaging.view_sendout")
def comparison(request: HtmxRequest, pk: int) -> HttpResponse:
    """Control group and the others, side by side."""
    found = get_object_or_404(SendOut, pk=pk)
    context = {"send_out": found, **compared(found)}
    if is_partial(request):
        return render(request, "messaging/send_out_comparison.html", context)
    return render(request, "messaging/send_out_comparison_page.html", context)


def compared(found: SendOut) -> dict[str, Any]:
    """Both groups among the same contacts, so that nothing tells them apart but the draw."""
    progress = Progress.objects.filter(pk=found.pk).first()
    if progress is None or progress.first_message is None or progress.last_message is None:
        return {}
    last = min(progress.last_message, progress.first_message + COMPARED - 1)
    channel = Channel(found.channel).value
    with connection.cursor() as cursor:
        cursor.execute(
            sql.COMPARED.format(channel=channel),
            {"send_out": found.pk, "first": progress.first_message, "last": last, "started": found.started_at},
        )
        groups = {is_control: ComparedGroup(people, left) for is_control, people, left in cursor.fetchall()}
    return {
        "sent": groups.get(False, ComparedGroup()),
        "held": groups.get(True, ComparedGroup()),
        "is_part": last < progress.last_message,
    }


@page("messaging.view_sendout", "messaging.view_leftout", "contacts.view_contact")
def left_out(request: HtmxRequest, pk: int, why: str) -> HttpResponse:
    """The members whom a send-out left out for a reason."""
    found = get_object_or_404(SendOut, pk=pk)
    if why not in Why.values:
        raise Http404
    before, size = number_in(request.GET.get("before", "")) or LARGEST, size_of(request)
    rows = LeftOut.objects.filter(send_out=found, why=why, contact_id__lt=before).order_by("-contact_id")
    numbers = list(rows.values_list("contact_id", flat=True)[: size + 1])
    contacts = Contact.objects.in_bulk(numbers[:size])
    context = {
        "send_out": found,
        "heading": _("Left out: %(why)s") % {"why": Why(why).label},
        "contacts": [contacts[number] for number in numbers[:size] if number in contacts],
        "before": numbers[size - 1] if len(numbers) > size else None,
        "back": found.get_absolute_url(),
    }
    template = "messaging/send_out_member_rows.html" if is_more(request) else "messaging/send_out_members.html"
    return and_stay(request, render(request, template, {**context, "is_more": is_more(request)}))
