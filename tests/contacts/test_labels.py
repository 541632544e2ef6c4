"""Labels on contacts: who may put them on, what the history tells, and the list by label."""

from contextlib import suppress

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import labels
from contacts.models import Change, Contact, Label
from tests.factories import htmx, log_in, make_contact, make_user

pytestmark = pytest.mark.django_db


def names(contact: Contact) -> list[str]:
    return [label.name for label in contact.labels.all()]


def test_a_marketer_labels_a_contact_and_the_history_tells() -> None:
    anna, vip = make_contact(), Label.objects.create(name="VIP")
    marketer = log_in()

    marketer.post(reverse("contacts:label", args=[anna.guid]), {"labels": [vip.pk], "new": "Tried it"})

    assert names(anna) == ["Tried it", "VIP"]
    change = anna.changes.get(field="labels")
    assert (change.kind, change.old, change.new) == (Change.Kind.EDITED, "", "Tried it, VIP")
    assert change.actor is not None
    card = marketer.get(anna.get_absolute_url()).content.decode()
    assert f"?label={vip.pk}" in card
    assert "Labels changed" in marketer.get(reverse("contacts:history", args=[anna.guid])).content.decode()


def test_in_the_dialog_the_head_is_renewed() -> None:
    anna, marketer = make_contact(), log_in()
    where = reverse("contacts:label", args=[anna.guid])

    assert "A new label" in marketer.get(where, headers=htmx("dialog-content")).content.decode()
    answer = marketer.post(where, {"new": "VIP"}, headers=htmx("dialog-content"))

    assert "labelled" in answer["HX-Trigger-After-Settle"]
    assert ">VIP<" in answer.content.decode()


def test_a_name_is_one_label_in_whatever_case() -> None:
    first, second, actor = make_contact(), make_contact(), make_user("")
    labels.put(first, [], "VIP", actor_id=actor.pk)
    labels.put(second, [], "vip", actor_id=actor.pk)

    assert names(second) == ["VIP"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Label.objects.create(name="vIp")


def test_who_may_not_label_cannot() -> None:
    anna, nobody = make_contact(), log_in("")

    assert nobody.post(reverse("contacts:label", args=[anna.guid]), {"new": "VIP"}).status_code == 403
    assert not Label.objects.exists()


def test_the_list_shows_those_with_a_label_together_with_a_search() -> None:
    anna, bert, carl = (make_contact(first_name=name) for name in ("Anna", "Bert", "Carl"))
    actor = make_user("")
    for each in (anna, bert):
        labels.put(each, [], "VIP", actor_id=actor.pk)
    vip, marketer = Label.objects.get(), log_in()

    def found(**query: int | str) -> set[str]:
        page = marketer.get("/contacts/", query).content.decode()
        return {each.first_name for each in (anna, bert, carl) if f"<bdi>{each.name}</bdi>" in page}

    assert found(label=vip.pk) == {"Anna", "Bert"}
    assert found(label=vip.pk, q="bert") == {"Bert"}
    assert found(label="nonsense") == found(label=10**30) == {"Anna", "Bert", "Carl"}


@given(st.lists(st.sets(st.integers(0, 3)), max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_history_always_leads_to_what_is_there(choices: list[set[int]]) -> None:
    with suppress(StopIteration), transaction.atomic():
        anna, actor = make_contact(), make_user("")
        made = [Label.objects.create(name=f"L{n}") for n in range(4)]
        for chosen in choices:
            labels.put(anna, [made[n].pk for n in chosen], "", actor_id=actor.pk)

        told = ""
        for change in anna.changes.filter(field="labels").order_by("pk"):
            assert (change.old, change.old) == (told, told)
            assert change.new != told
            told = change.new
        assert told == ", ".join(names(anna))
        raise StopIteration
