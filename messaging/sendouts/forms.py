"""What a marketer fills in for a send-out, step by step."""

import io
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator, validate_email
from django.http import QueryDict
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Channel, Label
from engage.domains import ascii_domain
from messaging.sendouts import contents
from messaging.sendouts.audience import (
    Audience,
    AudienceError,
    Condition,
    Country,
    Created,
    Everybody,
    IsOnList,
    LabelledWith,
    Language,
    OpenedSendOut,
    Segment,
    SentTo,
    read,
)
from messaging.sendouts.lists import MOST_LIVE_BYTES
from messaging.sendouts.mjml_source import LONGEST, MjmlError, html_of, is_mjml
from messaging.sendouts.models import LARGEST_PERCENTAGE, AddressList, SendOut, State
from messaging.status.order import EMAIL_STATUSES, SMS_STATUSES, Status

# So many earlier send-outs and lists are offered, the newest.
OFFERED: Final = 50
# What is a condition once it is filled in, or a part of one; and what names a list.
CONDITIONS: Final = ("country", "language", "since", "until", "labels", "sent_to", "statuses", "opened")
LIST: Final = ("listed", "pasted", "upload")
# What belongs to each kind of audience, and what to say where it is filled in beside another kind.
OF_KIND: Final = {
    "segment": (
        CONDITIONS,
        gettext_lazy("You filled in conditions, which do not count here. Choose “A segment”, or leave them out."),
    ),
    "list": (
        LIST,
        gettext_lazy("You gave a list, which does not count here. Choose “A list of addresses”, or leave it out."),
    ),
}
# Later than that is a slip in the year.
LATEST: Final = timedelta(days=366)
LONGEST_PASTE: Final = 2_000_000
IS: Final = [("", gettext_lazy("is")), ("not", gettext_lazy("is not"))]
HAS: Final = [("", gettext_lazy("has one of")), ("not", gettext_lazy("has none of"))]
GOT: Final = [("", gettext_lazy("shows")), ("not", gettext_lazy("does not show"))]
OPENED: Final = [("", gettext_lazy("was opened")), ("not", gettext_lazy("was sent, not opened"))]
# Browsers want these in this form, whatever the language.
DAY: Final = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
MOMENT: Final = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
# 3GPP TS 23.040 9.1.2.5: an alphanumeric sender has at most eleven characters.
SMS_SENDER: Final = RegexValidator(
    r"\A(\+?[0-9]{3,15}|[A-Za-z0-9 ._-]{1,11})\Z",
    gettext_lazy("Type a number such as +46701234567, or up to eleven letters and digits."),
)


class NameForm(forms.Form):
    """A new send-out."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=200, help_text=gettext_lazy("For you and your colleagues only.")
    )
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=Channel, widget=forms.RadioSelect)


class AudienceForm(forms.Form):
    """Everybody, those of whom all filled-in conditions hold, or a list. What is left empty is no condition."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Who is to get it"),
        choices=[
            ("all", gettext_lazy("Everybody")),
            ("segment", gettext_lazy("A segment")),
            ("list", gettext_lazy("A list of addresses")),
        ],
        initial="all",
        widget=forms.RadioSelect,
    )
    country_not = forms.ChoiceField(label=gettext_lazy("Country"), choices=IS, required=False)
    country = forms.CharField(label=gettext_lazy("Countries, two letters each"), required=False, max_length=600)
    language_not = forms.ChoiceField(label=gettext_lazy("Language"), choices=IS, required=False)
    language = forms.CharField(label=gettext_lazy("Languages, codes such as sv"), required=False, max_length=600)
    since = forms.DateField(label=gettext_lazy("Contact since, from"), required=False, widget=DAY)
    until = forms.DateField(label=gettext_lazy("Contact since, until"), required=False, widget=DAY)
    labels_not = forms.ChoiceField(label=gettext_lazy("Label"), choices=HAS, required=False)
    labels = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Labels"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    sent_to = forms.TypedChoiceField(
        label=gettext_lazy("Earlier send-out"), coerce=int, empty_value=None, required=False
    )
    statuses_not = forms.ChoiceField(label=gettext_lazy("Their message"), choices=GOT, required=False)
    statuses = forms.MultipleChoiceField(
        label=gettext_lazy("Statuses"), required=False, widget=forms.CheckboxSelectMultiple,
        choices=[(status.value, status.label) for status in Status if status in {*EMAIL_STATUSES, *SMS_STATUSES}],
    )  # fmt: skip
    opened = forms.TypedChoiceField(
        label=gettext_lazy("Opened or not: send-out"), coerce=int, empty_value=None, required=False
    )
    opened_not = forms.ChoiceField(label=gettext_lazy("It"), choices=OPENED, required=False)
    listed = forms.TypedChoiceField(
        label=gettext_lazy("A list from before"), coerce=int, empty_value=None, required=False
    )
    # No `maxlength`: a browser would cut off the rest of what is pasted, and say nothing.
    pasted = forms.CharField(
        label=gettext_lazy("Paste addresses, one a line"), required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "data-most": LONGEST_PASTE}),
    )  # fmt: skip
    upload = forms.FileField(
        label=gettext_lazy("Or upload a file: CSV, or one address a line"), required=False,
        widget=forms.FileInput(attrs={"data-most": MOST_LIVE_BYTES}),
    )  # fmt: skip

    def __init__(self, *args: Any, unsent: str = "", **kwargs: Any) -> None:
        """`unsent`: what the page held back, since it is too much to be counted as it is filled in."""
        super().__init__(*args, **kwargs)
        self.unsent = unsent
        # Who has been told of what belongs to another kind, and goes on without it.
        if self.data.get("without"):
            self._empty(*(name for names, _problem in self._of_other_kinds() for name in names))
        earlier = SendOut.objects.exclude(state__in=[State.DRAFT, State.SCHEDULED]).order_by("-pk")
        chosen = self._chosen()
        send_outs = _choices(earlier[:OFFERED], earlier.filter(pk__in=chosen))
        lists = AddressList.objects.order_by("-pk")
        self._choose("labels", [(label.pk, label.name) for label in Label.objects.all()])
        self._choose("sent_to", [("", _("– none –")), *send_outs])
        self._choose("opened", [("", _("– none –")), *send_outs])
        self._choose("listed", [("", _("– none –")), *_choices(lists[:OFFERED], lists.filter(pk__in=chosen))])

    def _choose(self, name: str, choices: Iterable[tuple[Any, Any]]) -> None:
        cast("forms.ChoiceField", self.fields[name]).choices = [*choices]

    def _chosen(self) -> list[int]:
        """Old ones that the audience names already must stay choosable."""
        return [pk for name in ("sent_to", "opened", "listed") if (pk := self.initial.get(name))]

    def _of_other_kinds(self) -> Iterator[tuple[tuple[str, ...], str]]:
        for kind, (names, problem) in OF_KIND.items():
            if kind != self.data.get("kind"):
                yield names, str(problem)

    def _empty(self, *names: str) -> None:
        data, files = cast("QueryDict", self.data).copy(), self.files.copy()
        for name in names:
            data.pop(name, None)
            files.pop(name, None)
        self.data, self.files = data, files

    def clean_pasted(self) -> str:
        pasted: str = self.cleaned_data["pasted"]
        if len(pasted) > LONGEST_PASTE or self.unsent == "pasted":
            self._empty("pasted")  # a page that brings it all back would be as long
            raise ValidationError(
                _("This is too much for the box, and is not kept in it. Save it as a file, and upload that.")
            )
        return pasted

    def clean_country(self) -> tuple[str, ...]:
        return _words(
            self.cleaned_data["country"], 2, 2, str.upper, _("Type two letters for each country, such as SE, NO.")
        )

    def clean_language(self) -> tuple[str, ...]:
        return _words(self.cleaned_data["language"], 2, 8, str.lower, _("Type codes such as sv, en."))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("The end lies before the beginning."))
        self._refuse_what_would_be_ignored(cleaned)
        if not self.errors and cleaned["kind"] == "segment" and not self._conditions(cleaned):
            self.add_error(None, _("Fill in at least one condition, or choose Everybody."))
        if not self.errors and cleaned["kind"] == "segment":
            self._refuse_unreadable()
        if not self.errors and cleaned["kind"] == "list" and not (cleaned["listed"] or self.has_new_list()):
            self.add_error(None, _("Paste addresses, upload a file, or choose a list."))
        return cleaned

    def _refuse_what_would_be_ignored(self, cleaned: dict[str, Any]) -> None:
        """Who fills in a condition and leaves "Everybody" chosen would write to everybody; and the like."""
        changed = {*self.changed_data, self.unsent}
        for names, problem in self._of_other_kinds() if "kind" in cleaned else ():
            if changed & {*names} and any(map(self._is_given, names)):
                for name in names:
                    self.errors.pop(name, None)
                self.add_error("kind", problem)
        if cleaned.get("kind") == "segment" and cleaned.get("statuses") and not cleaned.get("sent_to"):
            self.add_error("sent_to", _("Choose the send-out whose messages show these statuses."))
        if cleaned.get("kind") == "list":
            self._refuse_two_lists(cleaned)

    def _refuse_two_lists(self, cleaned: dict[str, Any]) -> None:
        """A new list replaces the one that was saved before; any other two are one too many."""
        if self._is_given("pasted") and self._is_given("upload"):
            self.add_error("upload", _("You pasted addresses, too. Give one of the two."))
        elif self.has_new_list() and cleaned.get("listed") and "listed" in self.changed_data:
            self.add_error("listed", _("You gave a new list, too. Give one of the two."))

    def _is_given(self, name: str) -> bool:
        given = self[name].data
        return bool(given.strip() if isinstance(given, str) else given) or self.unsent == name

    def _refuse_unreadable(self) -> None:
        """What cannot be read back would lock everybody out of the draft."""
        try:
            read(self.audience().as_json())
        except AudienceError:
            self.add_error(None, _("This cannot be: look at the days, and at how many values there are."))

    def has_new_list(self) -> bool:
        return self._is_given("pasted") or self._is_given("upload")

    def place_of_list(self) -> str:
        """The field by which the new list was given."""
        return "upload" if self.cleaned_data.get("upload") else "pasted"

    def is_too_long_to_look(self) -> bool:
        return self.cleaned_data["kind"] == "list" and self.unsent == "upload"

    def new_list(self) -> tuple[str, Iterable[bytes]] | None:
        """The name of what was uploaded, or else pasted, and the list in pieces; None where neither was."""
        if self.cleaned_data["kind"] != "list":
            return None
        upload: UploadedFile[Any] | None = self.cleaned_data["upload"]
        if upload:
            return upload.name or _("Uploaded"), upload.chunks()
        if pasted := self.cleaned_data["pasted"]:
            return _("Pasted"), io.BytesIO("\n".join(pasted.splitlines()).encode())
        return None

    def audience(self) -> Audience:
        """What was filled in; not for a list that is still to be kept."""
        cleaned = self.cleaned_data
        if cleaned["kind"] == "segment":
            return Segment(tuple(self._conditions(cleaned)))
        return IsOnList(cleaned["listed"]) if cleaned["kind"] == "list" else Everybody()

    def _conditions(self, cleaned: dict[str, Any]) -> list[Condition]:
        found: list[Condition] = []
        if cleaned["country"]:
            found.append(Country(cleaned["country"], bool(cleaned["country_not"])))
        if cleaned["language"]:
            found.append(Language(cleaned["language"], bool(cleaned["language_not"])))
        if cleaned["since"] or cleaned["until"]:
            found.append(Created(cleaned["since"], cleaned["until"]))
        if cleaned["labels"]:
            found.append(LabelledWith(tuple(cleaned["labels"]), bool(cleaned["labels_not"])))
        if cleaned["sent_to"]:
            found.append(SentTo(cleaned["sent_to"], tuple(cleaned["statuses"]), bool(cleaned["statuses_not"])))
        if cleaned["opened"]:
            found.append(OpenedSendOut(cleaned["opened"], bool(cleaned["opened_not"])))
        return found


def initial_of(audience: Audience) -> dict[str, Any]:
    """What AudienceForm shows for an audience that it made."""
    initial: dict[str, Any] = {"kind": audience.kind}
    if isinstance(audience, IsOnList):
        return initial | {"listed": audience.list}
    for each in audience.conditions if isinstance(audience, Segment) else ():
        initial |= _initial_of_condition(each)
    return initial


def _initial_of_condition(condition: Condition) -> dict[str, Any]:
    match condition:
        case Country(values, is_not):
            return {"country": ", ".join(values), "country_not": "not" if is_not else ""}
        case Language(values, is_not):
            return {"language": ", ".join(values), "language_not": "not" if is_not else ""}
        case Created(since, until):
            return {"since": since, "until": until}
        case LabelledWith(numbers, is_not):
            return {"labels": [*numbers], "labels_not": "not" if is_not else ""}
        case SentTo(send_out, statuses, is_not):
            return {"sent_to": send_out, "statuses": [*statuses], "statuses_not": "not" if is_not else ""}
        case OpenedSendOut(send_out, is_not):
            return {"opened": send_out, "opened_not": "not" if is_not else ""}
    raise TypeError(condition)


class EmailContentForm(forms.Form):
    """What an email says, and from whom it comes."""

    sender_name = forms.CharField(label=gettext_lazy("Sender's name"), max_length=100)
    sender = forms.CharField(
        label=gettext_lazy("Sender's email address"), max_length=320, validators=[validate_email],
    )  # fmt: skip
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=250)
    html = forms.CharField(
        label=gettext_lazy("HTML or MJML"), required=False, max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
    )  # fmt: skip
    text = forms.CharField(
        label=gettext_lazy("Plain text"), required=False, max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 8}),
        help_text=gettext_lazy("For mail programs that show no HTML. Left empty, it is made from the HTML."),
    )  # fmt: skip

    def clean_sender(self) -> str:
        """An address that a header can hold: its domain has a form in ASCII."""
        given: str = self.cleaned_data["sender"]
        try:
            ascii_domain(given.rpartition("@")[2])
        except UnicodeError as error:
            raise ValidationError(
                _("This domain has letters or signs that domains may not have. Look at what stands after the @.")
            ) from error
        return given

    def clean_html(self) -> str:
        """The HTML; what it was made from is kept beside it."""
        given: str = self.cleaned_data["html"]
        if not is_mjml(given):
            return given
        self.cleaned_data["mjml"] = given
        try:
            return html_of(given)
        except MjmlError as error:
            raise ValidationError(error.problems) from error

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not cleaned.get("html", "").strip() and not cleaned.get("text", "").strip():
            self.add_error(None, _("Write the HTML or the plain text."))
        _add_problems(self, Channel.EMAIL)
        return cleaned


class SmsContentForm(forms.Form):
    """What an SMS says, and from whom it comes."""

    sender = forms.CharField(
        label=gettext_lazy("Sender"), max_length=16, validators=[SMS_SENDER],
        help_text=gettext_lazy("A number, or up to eleven letters and digits."),
    )  # fmt: skip
    text = forms.CharField(label=gettext_lazy("Text"), max_length=1600, widget=forms.Textarea(attrs={"rows": 5}))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        _add_problems(self, Channel.SMS)
        return cleaned


def _add_problems(form: forms.Form, channel: Channel) -> None:
    """Tags that are none, by field."""
    said = {name: form.cleaned_data.get(name, "") for name in ("subject", "html", "text")}
    if not form.errors:
        for field, problems in contents.problems(channel, **said).items():
            form.add_error(field, problems)


class SettingForm(forms.Form):
    """Control group, and what kind of send-out it is."""

    control_percentage = forms.DecimalField(
        label=gettext_lazy("Control group, per cent of those who would get it"),
        min_value=Decimal(0), max_value=LARGEST_PERCENTAGE, max_digits=4, decimal_places=2, initial=Decimal(0),
        help_text=gettext_lazy("Members of the control group get nothing, and their card says so."),
    )  # fmt: skip
    is_transactional = forms.BooleanField(
        label=gettext_lazy("Transactional"), required=False,
        help_text=gettext_lazy(
            "A receipt, a changed password: goes to who has unsubscribed, too, never to blocked addresses, and has no "
            "control group."
        ),
    )  # fmt: skip
    tracks_opens = forms.BooleanField(
        label=gettext_lazy("Notice opens"), required=False,
        help_text=gettext_lazy("In emails that have HTML. Of plain text nobody can tell whether it was opened."),
    )  # fmt: skip
    tracks_clicks = forms.BooleanField(
        label=gettext_lazy("Notice clicks"), required=False,
        help_text=gettext_lazy("On the links in the HTML of emails."),
    )  # fmt: skip


class StartForm(forms.Form):
    """Now, or at a time to come."""

    when = forms.ChoiceField(
        choices=[("now", gettext_lazy("Now")), ("later", gettext_lazy("Later"))], initial="now",
        widget=forms.RadioSelect,
    )  # fmt: skip
    at = forms.DateTimeField(
        label=gettext_lazy("Start at"), required=False, widget=MOMENT,
        help_text=format_lazy(gettext_lazy("By the clock of {zone}."), zone=settings.TIME_ZONE),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        at: datetime | None = cleaned.get("at")
        if not self.errors and cleaned.get("when") == "later" and (at is None or at <= timezone.now()):
            self.add_error("at", _("Choose a time to come."))
        elif not self.errors and at is not None and at > timezone.now() + LATEST:
            self.add_error("at", _("Choose a time within a year."))
        return cleaned


class MasterForm(forms.Form):
    """The contacts that all send-outs leave out."""

    percentage = forms.DecimalField(
        label=gettext_lazy("Per cent of all contacts"),
        min_value=Decimal(0), max_value=LARGEST_PERCENTAGE, max_digits=4, decimal_places=2,
    )  # fmt: skip
    label = forms.ModelChoiceField(
        label=gettext_lazy("And everybody with this label"), queryset=Label.objects.all(), required=False,
        empty_label=gettext_lazy("– none –"),
    )  # fmt: skip
    draws_anew = forms.BooleanField(label=gettext_lazy("Draw other contacts than before"), required=False)


def _choices(newest: Iterable[Any], chosen: Iterable[Any]) -> list[tuple[int, str]]:
    rows = {row.pk: row for row in (*newest, *chosen)}
    return [(pk, _described(row)) for pk, row in rows.items()]


def _described(row: SendOut | AddressList) -> str:
    day: date = timezone.localdate(row.created_at)
    number = f" · {row.known}" if isinstance(row, AddressList) else ""
    return f"{row.name} · {day:%Y-%m-%d}{number}"


def _words(typed: str, shortest: int, longest: int, fold: Any, problem: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(fold(word) for word in re.split(r"[\s,;]+", typed) if word))
    for word in words:
        if not (shortest <= len(word) <= longest and re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", word)):
            raise ValidationError(problem)
    return words
