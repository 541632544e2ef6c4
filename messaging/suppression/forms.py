"""What administrators fill in about blocks: the rule of a channel, when hard bounces look like an outage."""

from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from messaging.bounces.reasons import reason_of
from messaging.suppression.outages import Thresholds
from messaging.suppression.rules import REASONS, SoftRule


class SoftRuleForm(forms.Form):
    """The rule of one channel."""

    is_on = forms.BooleanField(label=_("Block after soft bounces in a row"), required=False)
    bounces = forms.IntegerField(label=_("Soft bounces in a row"), min_value=2, max_value=100)
    days = forms.IntegerField(label=_("Within days"), min_value=1, max_value=730)
    reasons = forms.MultipleChoiceField(
        label=_("Reasons that count"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose one reason at least.")},
    )

    def __init__(self, rule: SoftRule, data: Any = None) -> None:
        self.channel = rule.channel
        shown = {"is_on": rule.is_on, "bounces": rule.bounces, "days": rule.days, "reasons": sorted(rule.reasons)}
        super().__init__(data, initial=shown, prefix=rule.channel.value)
        reasons: Any = self.fields["reasons"]
        reasons.choices = [(slug, reason_of(slug).label(rule.channel)) for slug in REASONS[rule.channel]]

    @property
    def rule(self) -> SoftRule:
        """The rule as it was filled in; the form must be valid."""
        said = self.cleaned_data
        return SoftRule(self.channel, said["is_on"], said["bounces"], said["days"], frozenset(said["reasons"]))


NUMBERS: Final = {
    "addresses": (_("Addresses"), _("so many at least that had taken mail lately"), 3, 100_000),
    "hours": (_("Hours"), _("within which they bounce"), 1, 72),
    "alive_days": (_("Lately, in days"), _("so long ago at most they took a message"), 1, 365),
    "share": (_("Share of the bounces, %"), _("so many of those that bounced had"), 1, 100),
    "times": (_("Times an ordinary week"), _("so many times as many as in one of the last four weeks"), 1, 1000),
    "rate": (_("Share of all messages, %"), _("of all that was sent to the domain meanwhile"), 0, 100),
}


class OutageForm(forms.Form):
    """From when on hard bounces look like an outage of their domain."""

    is_on = forms.BooleanField(label=_("Hold the blocks of a domain that seems to have an outage"), required=False)

    def __init__(self, rule: Thresholds, data: Any = None) -> None:
        super().__init__(data, initial={name: getattr(rule, name) for name in ("is_on", *NUMBERS)}, prefix="outage")
        for name, (label, hint, least, most) in NUMBERS.items():
            self.fields[name] = forms.IntegerField(
                label=label, help_text=hint, validators=[MinValueValidator(least), MaxValueValidator(most)],
                widget=forms.NumberInput(attrs={"min": least, "max": most}),
            )  # fmt: skip


class DoubtForm(forms.Form):
    """Whether a guessed hard bounce blocks by itself."""

    needs_second = forms.BooleanField(
        label=_("Block by a guessed hard bounce only after a second one from another day"), required=False
    )

    def __init__(self, rule: Thresholds, data: Any = None) -> None:
        super().__init__(data, initial={"needs_second": rule.needs_second}, prefix="doubt")


class DecisionForm(forms.Form):
    """Why the blocks of an outage are kept or dropped; may stay empty."""

    why = forms.CharField(label=_("Why? (may stay empty)"), max_length=500, required=False)
