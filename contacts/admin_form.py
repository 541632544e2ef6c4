"""The form by which support staff add and edit a contact."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts import consent
from contacts.addresses import display_mobile, normalise_email, normalise_mobile, normalised
from contacts.models import Contact

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Contact]
else:
    _ModelForm = forms.ModelForm


class ContactForm(_ModelForm):
    """Says at each address what is wrong with it, and saves only what the person themselves changed.

    While the page was open, a report may have unsubscribed the contact, or a colleague edited it: the form brings its
    first values back (show_hidden_initial), and a field that was left alone keeps what the database holds by then.
    """

    why = forms.CharField(
        label=gettext_lazy("Why"),
        help_text=gettext_lazy("Kept in the change history, for colleagues to read."),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    class Meta:
        model = Contact
        fields = ("first_name", "last_name", "email", "mobile", "country", "language", "accepts_email", "accepts_sms")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.show_hidden_initial = bool(self.instance.pk) and name != "why"
        # As it was understood, not as it was typed: that meant the country of then.
        if self.instance.mobile_digits:
            self.initial["mobile"] = display_mobile(self.instance.mobile_digits)

    def clean_email(self) -> str:
        typed: str = self.cleaned_data["email"]
        if typed and "email" in self.changed_data:
            normalise_email(typed)
        return typed

    def clean_country(self) -> str:
        typed = str(self.cleaned_data["country"]).upper()
        if typed and not (len(typed) == 2 and typed.isascii() and typed.isalpha()):
            raise ValidationError(_("Type the two letters of the country, such as SE."), code="country")
        return typed

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk:
            self._keep_what_was_left_alone(cleaned)
        if "mobile" not in self.changed_data:
            return cleaned
        try:
            self._check_mobile(cleaned.get("mobile", ""), cleaned.get("country", ""))
        except ValidationError as error:
            self.add_error("mobile", error)
        return cleaned

    def _keep_what_was_left_alone(self, cleaned: dict[str, Any]) -> None:
        """Locks the row until the end of the transaction, so that nobody changes it between here and the saving."""
        typed = normalised(*(cleaned.get(name) or "" for name in ("email", "mobile", "country")))
        if consent.hold(self.instance.pk, typed) is None:
            raise ValidationError(_("Somebody has removed this contact meanwhile."))
        self.instance.refresh_from_db()
        for name in cleaned.keys() - {"why"} - set(self.changed_data):
            cleaned[name] = getattr(self.instance, name)
        for name in cleaned.keys() & set(self.changed_data) - {"why"}:
            self._warn_of_a_colleague(name, cleaned[name])

    def _warn_of_a_colleague(self, name: str, typed: Any) -> None:
        """Where somebody else has changed the same field meanwhile, both values are shown; saving once more decides."""
        now = getattr(self.instance, name)
        is_shown = {str(now), display_mobile(self.instance.mobile_digits)} if name == "mobile" else {str(now)}
        stood = self.data.get(self.add_initial_prefix(name))
        if stood is None or stood in is_shown or typed == now:
            return
        # As it stands now: saving it once more is meant.
        self.data = {key: self.data[key] for key in self.data} | {self.add_initial_prefix(name): str(now)}
        self.add_error(
            name,
            ValidationError(
                _("Somebody has changed this meanwhile: it is “%(now)s” now. Yours stands here; saving replaces it."),
                code="changed",
                params={"now": now},
            ),
        )

    @staticmethod
    def _check_mobile(typed: str, country: str) -> None:
        longest = Contact._meta.get_field("mobile_digits").max_length or 0
        if typed and len(normalise_mobile(typed, country)) > longest:
            raise ValidationError(_("This number has too many digits."), code="mobile")
