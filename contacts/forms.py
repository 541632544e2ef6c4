"""What people fill in about contacts."""

from django import forms
from django.utils.translation import gettext_lazy as _

from contacts.models import Label


class LabelsForm(forms.Form):
    """The labels of a contact."""

    labels = forms.ModelMultipleChoiceField(
        label=_("Labels"), queryset=Label.objects.all(), required=False, widget=forms.CheckboxSelectMultiple
    )
    new = forms.CharField(label=_("A new label"), max_length=60, required=False)


class LiftForm(forms.Form):
    """Why the block of an address is removed; it goes into the history of everybody who has the address."""

    reason = forms.CharField(
        label=_("Why do you remove it?"),
        help_text=_("Kept in the change history, for colleagues to read."),
        max_length=500,
        error_messages={"required": _("Write why you remove the block.")},
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
    )
