"""Which blocks are meant: what an administrator chose, as it stands in the URL and in the record of a removal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.addresses import normalise_email
from contacts.cells import clean, emails_in, is_like_number, mobiles_in
from contacts.models import Block, Cause, Channel

# What an imported list may say of people who opted out. These are no faults of an address, so they end one by one, on
# the card, and never by the hundred.
OPT_OUTS: Final = ("complaint", "unsubscribe")


@dataclass(frozen=True, slots=True)
class BlockFilter:
    """Blocks in force, narrowed by whatever is set. `address` is a domain or a whole address, normalised."""

    channel: str = ""
    address: str = ""
    reason: str = ""
    code: str = ""
    cause: str = ""
    since: datetime | None = None
    until: datetime | None = None
    alive: bool = False
    ids: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything narrows it at all."""
        return any(getattr(self, each.name) for each in fields(self))

    def as_query(self) -> dict[str, Any]:
        """What is set, for the URL and for JSON; `BlockFilter.of` reads it."""
        found = {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name)}
        return {name: _written(value) for name, value in found.items()}

    @property
    def query(self) -> str:
        return urlencode(self.as_query(), doseq=True)

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "BlockFilter":
        """Raises ValueError where the query is not what a filter wrote: a removal must never mean more than it says."""
        form = FilterForm(query)
        if not form.is_valid():
            raise ValueError(form.errors.as_text())
        return form.chosen

    def blocks(self) -> "QuerySet[Block, Any]":
        found = Block.objects.filter(self._address(), ended_at=None, held_at=None)
        exact = {name: value for name in ("reason", "cause") if (value := getattr(self, name))}
        if self.channel:
            found = found.filter(address__channel=self.channel)
        if self.code:
            found = found.filter(code__regex=rf"(^| ){re.escape(self.code)}( |$)")
        if self.since:
            found = found.filter(started_at__gte=self.since)
        if self.until:
            found = found.filter(started_at__lte=self.until)
        if self.alive:
            found = found.filter(life_at__isnull=False)
        if self.ids:
            found = found.filter(pk__in=self.ids)
        return found.filter(**exact)

    def liftable(self) -> "QuerySet[Block, Any]":
        """The blocks that may be removed together."""
        return self.blocks().exclude(reason__in=OPT_OUTS)

    def _address(self) -> Q:
        if not self.address:
            return Q()
        if "@" in self.address:
            return Q(address__channel=Channel.EMAIL, address__value=self.address)
        if self.address.startswith("+"):
            return Q(address__channel=Channel.SMS, address__value=self.address)
        return Q(domain=self.address)


def _written(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case tuple():
            return ",".join(map(str, value))
        case True:
            return "1"
    return str(value)


class FilterForm(forms.Form):
    """What narrows the list. A value that makes no sense is an error, lest the list show (and one remove) too much."""

    channel = forms.ChoiceField(required=False, choices=[("", gettext_lazy("Any")), *Channel.choices])
    address = forms.CharField(required=False, max_length=320, label=gettext_lazy("Domain or address"))
    reason = forms.CharField(required=False, max_length=40, label=gettext_lazy("Reason"))
    code = forms.CharField(required=False, max_length=60, label=gettext_lazy("Code"))
    cause = forms.ChoiceField(
        required=False, label=gettext_lazy("Rule"), choices=[("", gettext_lazy("Any")), *Cause.choices]
    )
    since = forms.DateTimeField(
        required=False,
        label=gettext_lazy("Blocked from"),
        error_messages={"invalid": gettext_lazy("Write the time like 2026-11-03 14:00.")},
    )
    until = forms.DateTimeField(
        required=False,
        label=gettext_lazy("Blocked until"),
        error_messages={"invalid": gettext_lazy("Write the time like 2026-11-03 14:00.")},
    )
    alive = forms.BooleanField(required=False)
    ids = forms.CharField(required=False, max_length=4_000)

    def clean_address(self) -> str:
        typed = clean(str(self.cleaned_data["address"])).lower().removeprefix("*").removeprefix("@")
        if not typed:
            return ""
        is_number = re.fullmatch(r"[+\d][\d\s().-]*", typed) or is_like_number(typed)
        if "@" in typed or is_number:
            found, problems = mobiles_in([typed]) if is_number else emails_in(typed)
            if len(found) != 1:
                raise ValidationError(problems or _("Write one address alone."))
            return found[0][1]
        try:
            return normalise_email(f"x@{typed}").partition("@")[2]
        except ValidationError as error:
            raise ValidationError(_("Write a domain such as example.com, or a whole address.")) from error

    def clean_code(self) -> str:
        return " ".join(str(self.cleaned_data["code"]).split())

    def clean_ids(self) -> tuple[int, ...]:
        typed = str(self.cleaned_data["ids"])
        if not re.fullmatch(r"(\d{1,18}(,\d{1,18})*)?", typed, re.ASCII):
            raise ValidationError(_("These are no numbers of blocks."))
        return tuple(sorted(map(int, filter(None, typed.split(",")))))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] > cleaned["until"]:
            self.add_error("until", _("The end lies before the start."))
        return cleaned

    @property
    def chosen(self) -> BlockFilter:
        """Once it is valid."""
        return BlockFilter(**self.cleaned_data)
