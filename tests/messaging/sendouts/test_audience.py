"""The closed form of an audience: what is read back, what is refused, whom it means, and how it is counted."""

from contextlib import suppress
from datetime import date, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch  # noqa: PT013 -- the type

from contacts.models import Channel, Contact, Label, Labelled
from messaging.models import Message
from messaging.sendouts import recipient_resolution
from messaging.sendouts.audience import (
    Audience,
    AudienceError,
    Condition,
    Country,
    Created,
    Everybody,
    IsOnList,
    Language,
    OpenedSendOut,
    Segment,
    SentTo,
    read,
)
from messaging.sendouts.audience import LabelledWith as HasLabel
from messaging.sendouts.forms import AudienceForm, initial_of
from messaging.status.order import Status
from tests.factories import make_contact, make_message
from tests.messaging.sendouts.people import make_send_out

days = st.dates(date(2020, 1, 1), date(2026, 1, 1))
numbers = st.integers(1, 2**62)
conditions: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Country, st.sampled_from([("SE",), ("SE", "NO")]), st.booleans()),
    st.builds(Language, st.sampled_from([("sv",), ("en", "de")]), st.booleans()),
    days.map(lambda day: Created(day, None)),
    days.map(lambda day: Created(day, day + timedelta(days=3))),
    st.builds(HasLabel, st.lists(numbers, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(SentTo, numbers, st.lists(st.sampled_from(Status.values), max_size=3).map(tuple), st.booleans()),
    st.builds(OpenedSendOut, numbers, st.booleans()),
)
audiences: st.SearchStrategy[Audience] = st.one_of(
    st.just(Everybody()),
    st.builds(IsOnList, numbers),
    st.builds(Segment, st.lists(conditions, min_size=1, max_size=5).map(tuple)),
)
json = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["all", "segment", "list"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["kind", "conditions", "list", "field", "values", "not", "since"]), inner),
    ),
)


@given(audiences)
def test_what_is_written_is_read_back(audience: Audience) -> None:
    assert read(audience.as_json()) == audience


@given(json)
def test_anything_else_is_refused_and_nothing_worse(raw: object) -> None:
    with suppress(AudienceError):
        found = read(raw)
        assert read(found.as_json()) == found


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "all", "list": 1},
        {"kind": "list", "list": True},
        {"kind": "list", "list": 0},
        {"kind": "segment", "conditions": []},
        {"kind": "segment", "conditions": [{"field": "name", "values": ["A"]}]},
        {"kind": "segment", "conditions": [{"field": "country", "values": ["SWE"]}]},
        {"kind": "segment", "conditions": [{"field": "country", "values": ["SE"], "or": 1}]},
        {"kind": "segment", "conditions": [{"field": "created", "since": None, "until": None}]},
        {"kind": "segment", "conditions": [{"field": "send_out", "send_out": 1, "values": ["sent"]}]},
    ],
)
def test_what_is_nearly_an_audience_is_none(raw: object) -> None:
    with pytest.raises(AudienceError):
        read(raw)


def met(*found: Condition) -> set[str]:
    """The first names of those who get an email."""
    rules = recipient_resolution.ResolutionRules(Channel.EMAIL, Segment(found))
    return set(
        Contact.objects.filter(pk__in=recipient_resolution.members(rules, "waiting")).values_list(
            "first_name", flat=True
        )
    )


@pytest.mark.django_db
def test_conditions_mean_what_they_say() -> None:
    anna, bert, carl = (
        make_contact(first_name=name, country=country, language=language)
        for name, country, language in (("Anna", "SE", "sv"), ("Bert", "no", "no"), ("Carl", "", "SV"))
    )
    Contact.objects.filter(pk=bert.pk).update(created_at=timezone.now() - timedelta(days=400))
    vip = Label.objects.create(name="VIP")
    Labelled.objects.create(label=vip, contact=anna)
    before = make_send_out()
    make_message(anna, send_out=before, status="delivered", is_opened=True)
    make_message(bert, send_out=before, status="soft_bounce")
    make_message(carl, send_out=before, status="control_group")
    today = timezone.localdate()

    assert met(Country(("SE", "NO"))) == {"Anna", "Bert"}
    assert met(Country(("SE",), is_not=True)) == {"Bert", "Carl"}
    assert met(Language(("sv",))) == {"Anna", "Carl"}
    assert met(Created(since=today)) == {"Anna", "Carl"}
    assert met(Created(until=today - timedelta(days=1))) == {"Bert"}
    assert met(HasLabel((vip.pk,))) == {"Anna"}
    assert met(HasLabel((vip.pk,), is_not=True)) == {"Bert", "Carl"}
    assert met(SentTo(before.pk)) == {"Anna", "Bert"}
    assert met(SentTo(before.pk, ("soft_bounce",))) == {"Bert"}
    assert met(SentTo(before.pk, is_not=True)) == {"Carl"}
    assert met(OpenedSendOut(before.pk)) == {"Anna"}
    assert met(OpenedSendOut(before.pk, is_not=True)) == {"Bert"}
    assert met(Language(("sv",)), HasLabel((vip.pk,), is_not=True)) == {"Carl"}


@pytest.mark.django_db
def test_the_form_makes_the_audience_that_it_shows() -> None:
    send_out = make_send_out(state="done")
    vip = Label.objects.create(name="VIP")
    made = Segment(
        (
            Country(("SE", "NO"), is_not=True),
            Language(("sv",)),
            Created(date(2026, 1, 1), date(2026, 2, 1)),
            HasLabel((vip.pk,), is_not=True),
            SentTo(send_out.pk, ("delivered", "opened")),
            OpenedSendOut(send_out.pk, is_not=True),
        )
    )

    form = AudienceForm(initial_of(made))

    assert form.is_valid(), form.errors
    assert form.audience() == made


@pytest.mark.django_db
def test_where_counting_takes_too_long_a_sample_stands_for_all(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(recipient_resolution, "SAMPLE", 150)
    monkeypatch.setattr(recipient_resolution, "FEW", 5)
    for n in range(300):
        make_contact(country="SE" if n % 3 else "NO", accepts_email=n % 10 > 0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_contact")
    everybody = recipient_resolution.ResolutionRules(Channel.EMAIL, Everybody())

    exact, about = recipient_resolution.counts(everybody), recipient_resolution.live_counts(everybody)

    assert (exact.audience, exact.get_it, exact.is_estimate) == (300, 270, False)
    assert about.is_estimate
    assert 240 <= about.audience <= 360
    assert abs(about.get_it - 270) < 60
    # Too few of them in the sample to go by: counted.
    rare = recipient_resolution.ResolutionRules(Channel.EMAIL, Segment((Country(("SE",)), Country(("NO",)))))
    assert recipient_resolution.live_counts(rare) == recipient_resolution.Counts()
    assert Message.objects.count() == 0
