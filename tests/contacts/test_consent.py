"""Consent belongs to the address: what it comes to, whom it covers, and that it goes with the person."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import consent
from contacts.consent import Word
from contacts.history import save_contact
from contacts.models import Change, Channel, Consent, Contact, FormerAddress, Source

START = datetime(2026, 11, 2, tzinfo=UTC)
EMAIL = [Channel.EMAIL]


@dataclass(frozen=True, slots=True)
class Said:
    accepts: bool
    at: datetime
    source: Source
    message_id: int | None


@st.composite
def consents(draw: st.DrawFn) -> list[Said]:
    """Few times and messages, so that ties and undoings are common."""
    source = st.sampled_from([Source.LINK, Source.ONE_CLICK, Source.UNDO, Source.COMPLAINT, Source.ANSWER])
    drawn = draw(st.lists(st.tuples(source, st.booleans(), st.integers(0, 4), st.integers(1, 2)), max_size=8))
    return [
        Said(
            yes if by == Source.ANSWER else by == Source.UNDO, START + timedelta(hours=hour), by, message
        )
        for by, yes, hour, message in drawn
    ]  # fmt: skip


def made(email: str = "anna@corp.example", **fields: object) -> Contact:
    contact = Contact(first_name="Anna", email=email, **fields)
    save_contact(contact, actor_id=None)
    return contact


def said(contact: Contact, *, accepts: bool, hours: int = 0, source: Source = Source.COMPLAINT) -> None:
    address_id = contact.email_address_id
    assert address_id is not None
    with transaction.atomic():
        consent.lock([address_id])
        consent.record([Word(address_id, accepts, START + timedelta(hours=hours), source, key=uuid4())], EMAIL)
    contact.refresh_from_db()


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@given(consents(), st.randoms())
def test_what_consents_come_to_does_not_depend_on_order_or_repeats(told: list[Said], random: object) -> None:
    shuffled = [*told, *told]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert consent.fold(shuffled) == consent.fold(told)


@pytest.mark.django_db(transaction=True)
@given(consents(), st.lists(st.integers(1, 3), min_size=1, max_size=5), st.randoms())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_comes_to_the_same_in_any_order_and_batches(
    told: list[Said], sizes: list[int], random: object
) -> None:
    """Everybody who shares the address goes by it, and the histories end with it."""
    with rolled_back():
        anna, bert = made(), made()
        address_id = anna.email_address_id or 0
        words = [Word(address_id, each.accepts, each.at, each.source, each.message_id, key=uuid4()) for each in told]
        arriving = [*words, *words]
        random.shuffle(arriving)  # type: ignore[attr-defined]
        while arriving:
            size = sizes[len(arriving) % len(sizes)]
            consent.lock([address_id])
            consent.adopt([address_id], EMAIL)
            consent.record(arriving[:size], EMAIL)
            arriving = arriving[size:]

        accepts, since = consent.fold(told)
        assert Consent.objects.count() == len(told)
        for contact in (anna, bert):
            contact.refresh_from_db()
            assert (contact.accepts_email, contact.email_consent_at) == (accepts, since)
            line = contact.changes.filter(kind__in=("opted_in", "opted_out")).order_by("-pk").first()
            assert (line is None or line.kind == "opted_in") == accepts
        decisive = consent.latest([address_id]).get(address_id)
        assert decisive is None or decisive.accepts == accepts


@pytest.mark.django_db
def test_a_no_wins_over_a_yes_of_the_same_time() -> None:
    anna = made()
    said(anna, accepts=False)
    said(anna, accepts=True)

    assert not anna.accepts_email


@pytest.mark.django_db
def test_a_second_contact_with_an_address_that_said_no_is_unsubscribed_and_its_history_says_so() -> None:
    said(made(), accepts=False)
    second = made("Anna@Corp.example")

    assert not second.accepts_email
    assert second.email_consent_at == START
    line = second.changes.get(kind=Change.Kind.OPTED_OUT)
    assert line.why == "complaint"


@pytest.mark.django_db
def test_a_contact_that_is_deleted_and_made_anew_is_still_unsubscribed() -> None:
    anna = made()
    said(anna, accepts=False)
    anna.delete()

    assert not made().accepts_email


@pytest.mark.django_db
def test_making_a_contact_says_nothing_and_saving_it_again_neither() -> None:
    anna = made()
    anna.first_name = "Anne"
    save_contact(anna, actor_id=None)

    assert not Consent.objects.exists()
    assert anna.email_consent_at is None


@pytest.mark.django_db
def test_what_a_colleague_notes_is_a_record_with_who_and_why_and_covers_who_shares_the_address() -> None:
    user = User.objects.create_user("sofia")
    anna, bert = made(), made()
    anna.accepts_email = False
    save_contact(anna, actor_id=user.pk, why="By phone")

    bert.refresh_from_db()
    assert not bert.accepts_email
    record = Consent.objects.get()
    assert (record.source, record.actor, record.wording, record.accepts) == ("administrator", user, "By phone", False)
    line = bert.changes.get(kind=Change.Kind.OPTED_OUT)
    assert (line.actor, line.why) == (user, "By phone")


@pytest.mark.django_db
def test_a_no_goes_with_the_person_to_a_new_address_as_of_its_time_and_never_over_a_later_word_there() -> None:
    anna, other = made(), made("other@corp.example")
    said(anna, accepts=False)
    said(other, accepts=True, hours=1, source=Source.FORM)
    anna.email = "new@corp.example"
    save_contact(anna, actor_id=None)
    assert not anna.accepts_email
    record = Consent.objects.get(address=anna.email_address_id)
    assert (record.at, record.source, record.via and record.via.value) == (START, "complaint", "anna@corp.example")

    anna.email = "other@corp.example"
    save_contact(anna, actor_id=None)
    other.refresh_from_db()
    assert anna.accepts_email
    assert other.accepts_email


@pytest.mark.django_db
def test_a_yes_stays_at_the_address_where_it_was_said() -> None:
    anna, other = made(), made("other@corp.example")
    said(other, accepts=False)
    said(anna, accepts=True, hours=1, source=Source.FORM)
    anna.email = "other@corp.example"
    save_contact(anna, actor_id=None)

    other.refresh_from_db()
    assert not anna.accepts_email
    assert not other.accepts_email
    assert anna.changes.filter(kind=Change.Kind.OPTED_OUT).exists()


@pytest.mark.django_db
def test_what_is_noted_of_somebody_without_an_address_counts_for_the_one_they_get() -> None:
    anna = made("")
    anna.accepts_email = False
    save_contact(anna, actor_id=None, why="Never")
    assert anna.changes.get(kind=Change.Kind.OPTED_OUT).why == "Never"
    anna.email = "anna@corp.example"
    save_contact(anna, actor_id=None)

    assert not anna.accepts_email
    assert not Consent.objects.get().accepts


@pytest.mark.django_db
def test_what_the_version_before_writes_meanwhile_is_not_lost() -> None:
    """It knows of no records: it changes the contacts alone."""
    anna = made()
    said(anna, accepts=True, source=Source.FORM)
    since = START + timedelta(hours=2)
    Contact.objects.filter(pk=anna.pk).update(accepts_email=False, email_consent_at=since)

    assert not made().accepts_email
    said(anna, accepts=True, hours=1, source=Source.FORM)
    assert (anna.accepts_email, anna.email_consent_at) == (False, since)


@pytest.mark.django_db
def test_what_old_processes_wrote_is_taken_over_once_the_last_has_stopped() -> None:
    anna, bert = made(), made("bert@corp.example")
    Contact.objects.filter(pk=anna.pk).update(accepts_email=False, email_consent_at=START)
    out = StringIO()
    call_command("take_over_consents", stdout=out)
    call_command("take_over_consents", stdout=out)

    assert out.getvalue().splitlines() == ["1 consents taken over.", "0 consents taken over."]
    record = Consent.objects.get()
    assert (record.address_id, record.accepts, record.at) == (anna.email_address_id, False, START)
    bert.refresh_from_db()
    assert bert.accepts_email


def migrate() -> None:
    module = import_module("contacts.migrations.0012_consents_kept")
    module.take_over(None, SimpleNamespace(connection=connection))
    module.remember_former(None, SimpleNamespace(connection=connection))


def as_before(contact: Contact, **fields: object) -> None:
    """As the version before left it."""
    Contact.objects.filter(pk=contact.pk).update(**fields)


@pytest.mark.django_db
def test_going_over_keeps_each_consent_with_what_the_history_knows_of_it() -> None:
    user = User.objects.create_user("sofia")
    link, spam, noted, plain, never = (made(f"{n}@corp.example") for n in range(5))
    for contact in (link, spam, noted, plain):
        as_before(contact, accepts_email=False, email_consent_at=START)
    as_before(never, email_consent_at=F("created_at"))
    opted_out = {"kind": "opted_out", "field": "email"}
    Change.objects.create(contact=link, why="unsubscribe", message_id=7, **opted_out)
    Change.objects.create(contact=spam, why="complaint", message_id=8, **opted_out)
    Change.objects.create(contact=noted, why="By phone", actor=user, **opted_out)
    changes = Change.objects.count()
    migrate()
    migrate()

    found = {each.address_id: each for each in Consent.objects.all()}
    assert {pk: (each.source, each.message_id, each.wording) for pk, each in found.items()} == {
        link.email_address_id: ("link", 7, ""),
        spam.email_address_id: ("complaint", 8, ""),
        noted.email_address_id: ("administrator", None, "By phone"),
        plain.email_address_id: ("migration", None, ""),
    }
    assert {each.at for each in found.values()} == {START}
    assert Change.objects.count() == changes


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("first", "second", "accepts"),
    [
        ((False, 1), (True, 2), True),
        ((False, 2), (True, 1), False),
        ((False, None), (True, 2), False),
        ((False, 1), (True, "made"), False),
    ],
)
def test_going_over_where_those_who_share_an_address_disagree(
    first: tuple[bool, Any], second: tuple[bool, Any], accepts: bool
) -> None:
    """The latest counts; a no without a time before all; a yes that was set as the contact was made is no word."""
    both = [made(), made()]
    for contact, (yes, hours) in zip(both, (first, second), strict=True):
        at = F("created_at") if hours == "made" else hours and START + timedelta(hours=hours)
        as_before(contact, accepts_email=yes, email_consent_at=at)
    migrate()

    for contact in both:
        contact.refresh_from_db()
        assert contact.accepts_email == accepts
        assert (contact.accepts_email, contact.email_consent_at) == consent.fold(Consent.objects.all())


@pytest.mark.django_db
def test_going_over_remembers_which_addresses_somebody_had() -> None:
    anna = made(mobile="070-174 06 99")
    for email, mobile in (("new@corp.example", "070-174 07 00"), ("", "")):
        anna.email, anna.mobile = email, mobile
        save_contact(anna, actor_id=None)
    had = set(FormerAddress.objects.values_list("address__value", "contact"))
    FormerAddress.objects.all().delete()
    migrate()

    assert set(FormerAddress.objects.values_list("address__value", "contact")) == had
    assert {value for value, _ in had} == {"anna@corp.example", "new@corp.example", "+46701740699", "+46701740700"}
