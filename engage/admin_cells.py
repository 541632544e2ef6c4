"""What cells of the admin's pages hold: links to rows, shortened texts, what stands for a missing value."""

from typing import Final

from django.db.models import Model
from django.template.defaultfilters import capfirst
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

# Rows of what belongs to something else, on its page.
MOST_RELATED: Final = 100
# What stands where a value is missing.
NOTHING: Final = "–"


def link_to(model: type[Model] | str, pk: object, text: object = "") -> SafeString:
    """A link to the page of a row; its number where no text is given. Nothing where there is no such row.

    A model can be named as "app.model" by an app that does not import it.
    """
    if pk is None:
        return SafeString("")
    url = reverse(f"admin:{url_name(model)}_change", args=[pk])
    return format_html('<a href="{}">{}</a>', url, text or f"#{pk}")


def list_of(model: type[Model] | str, query: object) -> str:
    """The address of a model's list, with something looked up."""
    return reverse(f"admin:{url_name(model)}_changelist", query={"q": query})


def url_name(model: type[Model] | str) -> str:
    """What the names of a model's admin pages begin with."""
    return (model if isinstance(model, str) else model._meta.label_lower).replace(".", "_")


def or_dash(value: object) -> object:
    """Django's pages write an empty value of a method as "None"."""
    return NOTHING if value in (None, "") else value


def shortened(text: str, length: int = 120) -> str:
    return Truncator(text).chars(length)


def more_than(most: int = MOST_RELATED) -> str:
    return _("Only the first %(most)d are shown.") % {"most": most}


def head(model: type[Model], field: str) -> str:
    """What a field is called, to stand above a column."""
    return str(capfirst(getattr(model._meta.get_field(field), "verbose_name", field)))
