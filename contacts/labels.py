"""Labels on contacts: words that marketers put on them, with who put them there in the contact's history."""

from collections.abc import Iterable
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject, Lower
from django.utils import timezone

from contacts.models import Change, Contact, Label, Labelled

# The labels of a contact as an annotation, by name: number and name of each.
ROWS: Final = ArraySubquery(
    Labelled.objects.filter(contact=OuterRef("pk"))
    .order_by(Lower("label__name"))
    .values(row=JSONObject(pk="label_id", name="label__name"))
)


def put(contact: Contact, chosen: Iterable[int], new: str, *, actor_id: int) -> None:
    """Give the contact exactly the labels numbered `chosen`, and the one called `new` (empty: none).

    A label of that name is taken, in whatever case it is written, and made where there is none. The contact is
    locked meanwhile, so its history tells what really was there before.
    """
    with transaction.atomic():
        Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
        before = set(contact.labels.values_list("pk", flat=True))
        after = set(Label.objects.filter(pk__in=chosen).values_list("pk", flat=True))
        if new:
            after.add(named(new).pk)
        if before != after:
            _change(contact, before, after, actor_id)


def named(name: str) -> Label:
    """The one label of that name."""
    found = Label.objects.filter(name__iexact=name).first()
    if found:
        return found
    # Two at once: the second one finds what the first one made.
    Label.objects.bulk_create([Label(name=name)], ignore_conflicts=True)
    return Label.objects.get(name__iexact=name)


def labelled(contacts: "QuerySet[Contact]", typed: str) -> tuple["QuerySet[Contact]", Label | None]:
    """The `contacts` with the label whose number stands in the URL; all of them where it names none."""
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else 0
    label = Label.objects.filter(pk=number).first() if number else None
    return (contacts.filter(labelled__label=label) if label else contacts), label


def _change(contact: Contact, before: set[int], after: set[int], actor_id: int) -> None:
    names = dict(Label.objects.filter(pk__in=before | after).values_list("pk", "name"))
    Labelled.objects.filter(contact=contact, label_id__in=before - after).delete()
    Labelled.objects.bulk_create([Labelled(contact=contact, label_id=pk) for pk in sorted(after - before)])
    Contact.objects.filter(pk=contact.pk).update(changed_at=timezone.now())
    Change.objects.create(
        contact=contact, kind=Change.Kind.EDITED, field="labels", actor_id=actor_id,
        old=_listed(names[pk] for pk in before), new=_listed(names[pk] for pk in after),
    )  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names, key=str.lower))
