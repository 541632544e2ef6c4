"""Who has said no gets nothing: the real way from a send-out to the link, the complaint or the STOP, and to the next."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import consent
from contacts.history import save_contact
from contacts.models import Change, Channel, Consent, Contact, Source
from contacts.sql import numbers
from messaging.delivery import sql
from messaging.delivery.preparation import Loaded
from messaging.inbox import reports
from messaging.ledger.record import SourcedEvent
from messaging.models import LeftOut, Message, SendOut
from messaging.providers.replies import parse_reply
from messaging.sendouts import making
from messaging.sendouts.lifecycle import start
from messaging.status.order import Event, Kind
from messaging.suppression.follow import apply
from messaging.tracking.tokens import Purpose, token_of
from tests.messaging.sendouts.people import make_send_out

OLD = {Channel.EMAIL: "old@corp.example", Channel.SMS: "+46701740699"}
NEW = {Channel.EMAIL: "new@corp.example", Channel.SMS: "+46701740700"}
START = datetime(2026, 11, 2, tzinfo=UTC)
_numbers = count(1)


def made(channel: Channel, value: str) -> Contact:
    contact = Contact(first_name="Anna", **{"email" if channel == Channel.EMAIL else "mobile": value})
    save_contact(contact, actor_id=None)
    return contact


def moved(contact: Contact, channel: Channel, value: str) -> None:
    contact.refresh_from_db()
    setattr(contact, "email" if channel == Channel.EMAIL else "mobile", value)
    save_contact(contact, actor_id=None, why="A new address")


def sent(channel: Channel) -> SendOut:
    """A send-out to everybody, with its rows."""
    send_out = make_send_out(channel)
    start(send_out.pk)
    making.make_rows(send_out.pk)
    Message.objects.filter(send_out=send_out).update(sent_at=timezone.now() - timedelta(minutes=2))
    return send_out


def to(send_out: SendOut) -> list[str]:
    """The addresses that would get it, as hand-over asks once more."""
    return [each.address for each in loaded(Message.objects.filter(send_out=send_out)) if not each.is_opted_out]


def loaded(messages: Iterable[Message]) -> list[Loaded]:
    with connection.cursor() as cursor:
        cursor.execute(sql.LOAD, [numbers(each.pk for each in messages)])
        return [Loaded(*row) for row in cursor.fetchall()]


def by_link(message: Message) -> None:
    Client().post(f"/u/{token_of(message.pk, Purpose.LEAVE)}/", {"wish": "unsubscribe"})
    reports.apply_pending()


def by_one_click(message: Message) -> None:
    Client().post(f"/u/{token_of(message.pk, Purpose.LEAVE)}/", {"List-Unsubscribe": "One-Click"})
    reports.apply_pending()


def by_complaint(message: Message) -> None:
    tell(message, Kind.COMPLAINED)


def by_stop(message: Message) -> None:
    (event,) = parse_reply("smpp", message.address.value, "STOP", timezone.now()).events
    apply([SourcedEvent(event)])


def tell(message: Message, kind: Kind) -> None:
    with transaction.atomic():
        apply([SourcedEvent(Event("sendgrid", kind, timezone.now(), f"w{next(_numbers)}", message.pk))])


def undo(message: Message) -> str:
    page = Client().post(f"/u/{token_of(message.pk, Purpose.LEAVE)}/", {"wish": "subscribe"}).content.decode()
    reports.apply_pending()
    return page


WAYS = [
    (Channel.EMAIL, by_link, Source.LINK),
    (Channel.EMAIL, by_one_click, Source.ONE_CLICK),
    (Channel.EMAIL, by_complaint, Source.COMPLAINT),
    (Channel.SMS, by_stop, Source.ANSWER),
    (Channel.SMS, by_link, Source.LINK),
]
ways = pytest.mark.parametrize(("channel", "says_no", "source"), WAYS)


@ways
@pytest.mark.django_db(transaction=True)
def test_a_second_contact_who_gets_the_address_of_somebody_who_said_no_gets_nothing(
    channel: Channel, says_no: Callable[[Message], None], source: Source
) -> None:
    made(channel, OLD[channel])
    says_no(Message.objects.get(send_out=sent(channel)))
    made(channel, OLD[channel])

    second = sent(channel)
    assert not Message.objects.filter(send_out=second).exists()
    assert set(LeftOut.objects.filter(send_out=second).values_list("why", flat=True)) == {"opted_out"}
    assert Consent.objects.get().source == source


@ways
@pytest.mark.django_db(transaction=True)
def test_a_contact_that_was_deleted_and_made_anew_gets_nothing_whether_it_said_no_before_or_after(
    channel: Channel, says_no: Callable[[Message], None], source: Source
) -> None:
    anna = made(channel, OLD[channel])
    message = Message.objects.get(send_out=sent(channel))
    anna.delete()
    message.refresh_from_db()
    says_no(message)
    made(channel, OLD[channel])

    assert not Message.objects.filter(send_out=sent(channel)).exists()
    assert Consent.objects.get().source == source


@ways
@pytest.mark.django_db(transaction=True)
def test_a_no_to_a_message_at_the_old_address_counts_at_both_and_the_history_says_so(
    channel: Channel, says_no: Callable[[Message], None], source: Source
) -> None:
    anna = made(channel, OLD[channel])
    first, before = Message.objects.get(send_out=sent(channel)), sent(channel)
    moved(anna, channel, NEW[channel])
    meanwhile = sent(channel)
    assert to(before) == [OLD[channel]]
    assert to(meanwhile) == [NEW[channel]]

    says_no(first)
    assert to(before) == to(meanwhile) == []
    assert not Message.objects.filter(send_out=sent(channel)).exists()
    found = {each.address.value: each for each in Consent.objects.select_related("address", "via")}
    assert {value: (each.accepts, each.source) for value, each in found.items()} == {
        OLD[channel]: (False, source), NEW[channel]: (False, source)
    }  # fmt: skip
    line = anna.changes.get(kind=Change.Kind.OPTED_OUT)
    assert line.old == OLD[channel]
    assert made(channel, OLD[channel]).changes.filter(kind=Change.Kind.OPTED_OUT).exists()


@pytest.mark.django_db(transaction=True)
def test_the_number_that_answers_stop_is_unsubscribed_for_whoever_gets_it_later_without_any_message() -> None:
    (event,) = parse_reply("smpp", "+46701740699", "STOP", timezone.now()).events
    apply([SourcedEvent(event)])
    apply([SourcedEvent(event)])

    assert not made(Channel.SMS, "+46701740699").accepts_sms
    assert Consent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_start_ends_a_stop_and_any_other_no_of_the_number() -> None:
    anna = made(Channel.SMS, OLD[Channel.SMS])
    message = Message.objects.get(send_out=sent(Channel.SMS))
    tell(message, Kind.COMPLAINED)
    by_stop(message)
    (event,) = parse_reply("smpp", OLD[Channel.SMS], "START", timezone.now()).events
    apply([SourcedEvent(event)])

    anna.refresh_from_db()
    assert anna.accepts_sms
    assert to(sent(Channel.SMS)) == [OLD[Channel.SMS]]


@pytest.mark.django_db(transaction=True)
def test_start_at_an_old_number_says_nothing_of_the_new_one() -> None:
    anna = made(Channel.SMS, OLD[Channel.SMS])
    sent(Channel.SMS)
    moved(anna, Channel.SMS, NEW[Channel.SMS])
    by_stop(Message.objects.get(send_out=sent(Channel.SMS)))
    (event,) = parse_reply("smpp", OLD[Channel.SMS], "START", timezone.now()).events
    apply([SourcedEvent(event)])

    anna.refresh_from_db()
    assert not anna.accepts_sms


@pytest.mark.django_db(transaction=True)
def test_the_link_takes_back_what_it_did_at_both_addresses() -> None:
    anna = made(Channel.EMAIL, OLD[Channel.EMAIL])
    message = Message.objects.get(send_out=sent(Channel.EMAIL))
    moved(anna, Channel.EMAIL, NEW[Channel.EMAIL])
    by_one_click(message)
    assert "You are subscribed again" in undo(message)

    assert to(sent(Channel.EMAIL)) == [NEW[Channel.EMAIL]]
    assert made(Channel.EMAIL, OLD[Channel.EMAIL]).accepts_email
    assert anna.changes.filter(kind=Change.Kind.OPTED_IN).get().why == "undo"


def by_other_link(_message: Message) -> None:
    by_link(Message.objects.exclude(pk=_message.pk).get())


def by_colleague(_message: Message) -> None:
    """On the phone, first so and then otherwise."""
    for accepts in (True, False):
        contact = Contact.objects.get()
        contact.accepts_email = accepts
        save_contact(contact, actor_id=None, why="By phone")


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("other", [by_complaint, by_other_link, by_colleague])
@pytest.mark.django_db(transaction=True)
def test_an_old_link_never_takes_back_a_complaint_nor_another_choice_and_the_page_says_so(
    other: Callable[[Message], None], is_first: bool
) -> None:
    """Neither one from before the link was used nor one from after it."""
    anna = made(Channel.EMAIL, OLD[Channel.EMAIL])
    message = Message.objects.get(send_out=sent(Channel.EMAIL))
    sent(Channel.EMAIL)
    for says_no in (other, by_link) if is_first else (by_link, other):
        says_no(message)
    page = undo(message)

    anna.refresh_from_db()
    assert not anna.accepts_email
    assert "You stay unsubscribed" in page
    assert OLD[Channel.EMAIL] not in page


@pytest.mark.django_db(transaction=True)
def test_an_old_link_alone_subscribes_nobody() -> None:
    anna = made(Channel.EMAIL, OLD[Channel.EMAIL])
    message = Message.objects.get(send_out=sent(Channel.EMAIL))
    by_complaint(message)
    undo(message)

    anna.refresh_from_db()
    assert not anna.accepts_email


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model keeps of an event: whose message it was about, and at which address."""

    accepts: bool
    at: datetime
    source: Source
    message_id: int
    address: str
    contact_id: int | None


# What happens: something is said of a message, a contact is made, gets another address, is deleted, or all are sent to.
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("say"), st.integers(0, 9), st.integers(0, 6), st.sampled_from(["spam", "link", "undo", "yes"])
        ),
        st.tuples(st.just("make"), st.integers(0, 2)),
        st.tuples(st.just("move"), st.integers(0, 9), st.integers(0, 2)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("send")),
    ),
    max_size=16,
)
SAYS = {
    "spam": (Source.COMPLAINT, "sendgrid", Kind.COMPLAINED),
    "link": (Source.LINK, "tracking", Kind.UNSUBSCRIBED),
    "undo": (Source.UNDO, "tracking", Kind.SUBSCRIBED),
    "yes": (Source.PROVIDER, "sendgrid", Kind.SUBSCRIBED),
}


def step(heard: list[Heard], what: str, *of: Any) -> None:
    contacts, messages = list(Contact.objects.order_by("pk")), list(Message.objects.order_by("pk"))
    if what == "make":
        made(Channel.EMAIL, f"a{of[0]}@corp.example")
    elif what == "send" and contacts:
        sent(Channel.EMAIL)
        # Before anything is said: what happened before its message left counts as of that moment.
        Message.objects.update(sent_at=START)
    elif what == "move" and contacts:
        moved(contacts[of[0] % len(contacts)], Channel.EMAIL, f"a{of[1]}@corp.example")
    elif what == "delete" and contacts:
        contacts[of[0] % len(contacts)].delete()
    elif what == "say" and messages:
        about, at, (source, provider, kind) = (
            messages[of[0] % len(messages)],
            START + timedelta(hours=of[1]),
            SAYS[of[2]],
        )
        event = Event(provider, kind, at, f"h{len(heard)}", about.pk)
        apply([SourcedEvent(event), SourcedEvent(event)])
        accepts = kind == Kind.SUBSCRIBED
        heard.append(Heard(accepts, at, source, about.pk, about.address.value, about.contact_id))


@pytest.mark.django_db(transaction=True)
@given(steps)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_nobody_gets_a_message_whose_address_said_no_last_or_who_said_no_themselves(
    story: list[tuple[Any, ...]],
) -> None:
    with transaction.atomic():
        heard = list[Heard]()
        for each in [("make", 0), ("make", 0), ("send",), *story, ("send",)]:
            step(heard, *each)
        messages = Message.objects.select_related("address", "contact")
        gets = {each.id for each in loaded(messages) if not each.is_opted_out and not each.is_deleted}
        for message in messages:
            at_address = [each for each in heard if each.address == message.address.value]
            if not consent.fold(at_address)[0]:
                assert message.pk not in gets
            own = [each for each in heard if each.contact_id == message.contact_id and message.contact_id]
            noes = [each.at for each in own if not each.accepts and not consent.is_undone(each, own)]
            yeses = [each.at for each in heard if each.source == Source.PROVIDER]
            if noes and max(noes) >= max(yeses, default=START - timedelta(days=1)):
                assert message.pk not in gets
        for contact in Contact.objects.exclude(email_address=None):
            said = Consent.objects.filter(address=contact.email_address_id)
            assert (contact.accepts_email, contact.email_consent_at) == consent.fold(said)
        transaction.set_rollback(True)
