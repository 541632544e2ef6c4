"""The page on which an administrator decides how it goes on after the database was restored from a backup."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from contacts.pages import HtmxRequest, page
from messaging.delivery.installation import RestoreTrace
from messaging.models import Restore
from messaging.sendouts import restored
from messaging.sendouts.restored import AGAIN, AtWork, Choice

# What the button says that only writes down what is ticked.
SAVE: Final = "save"


# What a choice is called, and what follows from it: of what was under way (False), and of what was planned (True).
WORDS: Final = {
    (Choice.LATER, False): (_lazy("Decide later"), _lazy("It stays paused; all others are not kept waiting.")),
    (Choice.CANCEL, False): (_lazy("Cancel it for good"), _lazy("Those who wait stay Waiting and never get it.")),
    (Choice.GO_ON, True): (_lazy("As planned"), _lazy("It starts at its time; at once where that has passed.")),
    (Choice.CANCEL, True): (
        _lazy("Cancel it for good"), _lazy("For one that has probably been sent after the backup was made."),
    ),
    (Choice.LATER, True): (
        _lazy("Decide later"), _lazy("It stays paused, and can be taken back to draft; others are not kept waiting."),
    ),
}  # fmt: skip


@page("messaging.view_restore", methods=("GET", "HEAD", "POST"))
def overview(request: HtmxRequest) -> HttpResponse:
    """What may have left since the backup was made, and a choice for each send-out.

    POST by who may decide: `do` save keeps what is ticked, ask asks once more, go decides.
    """
    restore = restored.current()
    if request.method != "POST":
        return render(request, "messaging/restored.html", _context(restore))
    if not request.user.has_perm("messaging.decide_restore"):
        raise PermissionDenied
    if restore is None or restore.decided_at is not None:
        messages.warning(request, _("Somebody else has decided already; nothing was changed."))
        return redirect("messaging:restored")
    choices = _choices(request, restore)
    Restore.objects.filter(pk=restore.pk, decided_at=None).update(choices=choices)
    restore.choices = choices
    if request.POST.get("do") == SAVE:
        messages.success(request, _("Saved. Still nothing leaves."))
        return redirect("messaging:restored")
    if request.POST.get("do") != "go":
        return render(request, "messaging/restored.html", _context(restore) | {"is_asked": True})
    if restored.decide(restore.pk, choices, request.POST.get("why", "").replace("\0", ""), request.user.pk):
        messages.success(request, _("Decided. It is carried out now; then messages leave again."))
    else:
        messages.warning(request, _("Somebody else has decided already; nothing was changed."))
    return redirect("messaging:restored")


def _choices(request: HtmxRequest, restore: Restore) -> dict[str, str]:
    """What is ticked, where it may be chosen; else what would be."""
    found = dict[str, str]()
    for each in restored.at_work(restore):
        said = request.POST.get(f"choice-{each.send_out.pk}", "")
        found[str(each.send_out.pk)] = said if said in restored.choices_for(each) else each.choice
    said = request.POST.get(f"choice-{AGAIN}", "")
    found[AGAIN] = said if said in (Choice.COUNT, Choice.GO_ON) else restored.again_choice(restore)
    return found


def _context(restore: Restore | None) -> dict[str, Any]:
    past = Restore.objects.select_related("decided_by").filter(ended_at__isnull=False).order_by("-pk")[:10]
    if restore is None:
        return {"past": past}
    at_work = restored.at_work(restore)
    again = restored.again_left(restore)
    return {
        "past": past,
        "restore": restore,
        "sign": RestoreTrace(restore.sign).label if restore.sign else "",
        "at_work": [(each, [(choice, *words_of(choice, each)) for choice in restored.choices_for(each)])
                    for each in at_work],
        "again": again,
        "again_choice": restored.again_choice(restore),
        "is_again_cut": again >= restored.MOST_COUNTED,
        "may_have_left": sum(each.waited for each in at_work) + restore.found.get(AGAIN, 0),
        "strangers": restored.strangers(restore),
        "missing": restore.noticed_at - restore.as_of if restore.as_of else None,
        "deciders": restored.who_may_decide(),
    }  # fmt: skip


def words_of(choice: Choice, each: AtWork) -> tuple[str, str]:
    """What a choice is called, and what follows from it, in numbers where they are known."""
    if choice == Choice.CANCEL and each.is_planned and not each.is_overdue:
        return _("Cancel it for good"), _("It never starts.")
    if (choice, each.is_planned) in WORDS:
        fixed, follows = WORDS[choice, each.is_planned]
        return str(fixed), f"{follows}{_twice(each.left) if choice == Choice.GO_ON else ''}"
    of, never = {"n": intcomma(each.waiting)}, _never(each)
    if choice == Choice.GO_ON:
        name = ngettext("Send to the %(n)s who waits", "Send to the %(n)s who wait", each.waiting)
        says = _("Whoever of them got it after the backup was made gets it twice.")
        return name % of, f"{says}{_twice(each.left - each.proven)}"
    name = ngettext("Send to none: count it as sent", "Send to none of the %(n)s: count them as sent", each.waiting)
    at_most = ngettext(
        "What reports say is shown, else Unknown. At most %(n)s person never gets it.",
        "What reports say is shown, else Unknown. At most %(n)s people never get it.",
        never,
    )
    return name % of, at_most % {"n": intcomma(never)}


def _never(each: AtWork) -> int:
    """How many of those who wait may never have got it."""
    return max(0, each.waited - each.least)


def _twice(n: int) -> str:
    """How many get it twice for certain, as one more sentence; nothing where nobody knows of any."""
    if n <= 0:
        return ""
    return " " + ngettext("At least %(n)s person gets it twice.", "At least %(n)s people get it twice.", n) % {
        "n": intcomma(n)
    }
