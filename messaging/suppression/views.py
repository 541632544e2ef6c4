"""The page Block rules, and the evidence of a suspected outage with the decision on its blocks."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

from django.contrib import messages
from django.db import OperationalError, connection, transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Channel, Outage
from contacts.pages import HtmxRequest, page
from engage.wake import wake
from messaging.models import BlockRule, OutageRule
from messaging.suppression import outages, rule_changes
from messaging.suppression.forms import DecisionForm, DoubtForm, OutageForm, SoftRuleForm
from messaging.suppression.outage_evidence import evidence_of
from messaging.suppression.rules import rules

# Longer than this nobody waits for a page; then it is saved without having been counted.
LONGEST_COUNT: Final = "20s"
PERMISSION: Final = "contacts.set_block_rules"
# As many held blocks are settled at once; a worker does the rest.
AT_ONCE: Final = 2_000


@page(PERMISSION)
def overview(request: HtmxRequest) -> HttpResponse:
    return render(request, "messaging/block_rules.html", context_of())


@page(PERMISSION, methods=("POST",))
def soft_rule(request: HtmxRequest, channel: str) -> HttpResponse:
    """Say what the rule that was filled in would block and lift; save it, where that was asked for."""
    if channel not in Channel.values:
        raise Http404
    form = SoftRuleForm(rules()[Channel(channel)], request.POST)
    if not form.is_valid():
        return render(request, "messaging/block_rules.html", context_of({channel: form}), status=422)
    if "save" not in request.POST:
        tried = {"channel": channel, "effect": counted(form)}
        return render(request, "messaging/block_rules.html", context_of({channel: form}, tried=tried))
    save_rule(form, request.user.pk)
    messages.success(request, _("The rule is saved. It is being applied to the addresses that are there already."))
    return redirect("messaging:block_rules")


@page(PERMISSION, methods=("POST",))
def outage_rule(request: HtmxRequest) -> HttpResponse:
    form = OutageForm(outages.thresholds(), request.POST)
    if not form.is_valid():
        return render(request, "messaging/block_rules.html", context_of(outage_form=form), status=422)
    return save_thresholds(request, form.cleaned_data)


@page(PERMISSION, methods=("POST",))
def doubt_rule(request: HtmxRequest) -> HttpResponse:
    """Whether guessed hard bounces need a second one."""
    form = DoubtForm(outages.thresholds(), request.POST)
    form.full_clean()
    return save_thresholds(request, form.cleaned_data)


def save_thresholds(request: HtmxRequest, chosen: Mapping[str, Any]) -> HttpResponse:
    """What was chosen replaces what counted; all else of the one row stays."""
    said = {**asdict(outages.thresholds()), **chosen, "changed_at": timezone.now(), "changed_by_id": request.user.pk}
    with transaction.atomic():
        first = OutageRule.objects.select_for_update().order_by("pk").first()
        values = {name: said[name] for name in (*chosen, "changed_at", "changed_by_id")} if first else said
        OutageRule.objects.update_or_create(pk=first.pk if first else 1, defaults=values)
    messages.success(request, _("Saved: it counts from now on."))
    return redirect("messaging:block_rules")


@page(PERMISSION)
def outage(request: HtmxRequest, pk: int) -> HttpResponse:
    """The evidence."""
    return render_outage(request, found_outage(pk))


@page(PERMISSION, methods=("POST",))
def decide(request: HtmxRequest, pk: int) -> HttpResponse:
    """Keep or drop what is held."""
    found, form = found_outage(pk), DecisionForm(request.POST)
    verdict = request.POST.get("verdict")
    if verdict not in Outage.Verdict.values or not form.is_valid():
        return render_outage(request, found, status=422)
    try:
        why = form.cleaned_data["why"]
        outages.decide(found.pk, Outage.Verdict(verdict), actor_id=request.user.pk, why=why)
    except outages.AlreadyDecidedError as error:
        return render_outage(request, error.outage, status=409)
    if outages.carry_out(AT_ONCE) >= AT_ONCE:
        wake("messaging.tasks.carry_out_decisions")
    said = {
        "kept": _("The blocks of %(domain)s are kept: nothing is sent to these addresses."),
        "dropped": _("The blocks of %(domain)s are dropped: the next send-out goes to these addresses again."),
    }
    messages.success(request, said[verdict] % {"domain": found.domain})
    return HttpResponseRedirect(reverse("messaging:outage", args=[pk]))


def found_outage(pk: int) -> Outage:
    return get_object_or_404(Outage.objects.select_related("decided_by"), pk=pk)


def render_outage(request: HtmxRequest, found: Outage, status: int = 200) -> HttpResponse:
    context = {"outage": found, "evidence": evidence_of(found), "form": DecisionForm()}
    return render(request, "messaging/outage.html", {**context, "is_late": status == 409}, status=status)


def counted(form: SoftRuleForm) -> rule_changes.RuleEffect | None:
    """What the rule would do; None where there are too many messages to count while somebody waits."""
    with suppress(OperationalError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [LONGEST_COUNT])
        return rule_changes.dry_run(form.rule)
    return None


def save_rule(form: SoftRuleForm, actor_id: int) -> None:
    """The rule counts at once for what comes in; a worker applies it to what is there."""
    rule = form.rule
    said = {
        "is_on": rule.is_on, "bounces": rule.bounces, "days": rule.days, "reasons": sorted(rule.reasons),
        "changed_at": timezone.now(), "changed_by_id": actor_id, "applied_at": None,
    }  # fmt: skip
    BlockRule.objects.update_or_create(channel=rule.channel, defaults=said)
    wake("messaging.tasks.apply_block_rules")


def context_of(
    filled: dict[str, SoftRuleForm] | None = None,
    *,
    outage_form: OutageForm | None = None,
    tried: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    saved = {row.channel: row for row in BlockRule.objects.select_related("changed_by")}
    forms = [(filled or {}).get(channel) or SoftRuleForm(rule) for channel, rule in rules().items()]
    return {
        "rules": [(form, saved.get(form.channel)) for form in forms],
        "outage_form": outage_form or OutageForm(outages.thresholds()),
        "doubt_form": DoubtForm(outages.thresholds()),
        "tried": tried,
        "waiting": outages.undecided(),
        "decided": list(Outage.objects.exclude(decided_at=None).select_related("decided_by").order_by("-pk")[:10]),
    }
