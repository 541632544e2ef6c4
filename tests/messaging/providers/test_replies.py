"""STOP and its like: which words count, whom they are about, and what follows."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.models import Change, Channel, Contact
from messaging.apply import Said, apply
from messaging.providers.replies import e164_of, reading_of_reply, wish_in
from messaging.statuses import Kind
from tests.messaging.conftest import SENT_AT, make_contact, make_message


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        " stop. ",
        "Stopp!",
        "STOP please",
        "stop sending me this",
        "UNSUBSCRIBE",
        "Avsluta",
        "ARRÊT",
        "„Abmelden“",
        "opt out",
    ],
)
def test_it_says_stop(text: str) -> None:
    assert wish_in(text) == Kind.UNSUBSCRIBED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "Thanks",
        "Where does the bus stop?",
        "cancel my booking",
        "The end",
        "stop by tomorrow if you like",
        "stoppage",
    ],
)
def test_it_says_nothing_of_that_kind(text: str) -> None:
    assert wish_in(text) is None


def test_start_takes_it_back() -> None:
    assert wish_in("Start") == Kind.SUBSCRIBED


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert wish_in(text) in (None, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("46701234567", "+46701234567"),
        ("+46701234567", "+46701234567"),
        ("0046701234567", "+46701234567"),
        ("0701234567", "+46701234567"),
        ("Telia", ""),
        ("", ""),
    ],
)
def test_a_number_is_read_however_a_gateway_writes_it(given: str, number: str) -> None:
    assert e164_of(given) == number


@pytest.mark.django_db(transaction=True)
def test_stop_opts_everybody_with_the_number_out_of_sms_and_the_history_says_so() -> None:
    anna, bert = make_contact(mobile="+46701234567"), make_contact(mobile="+46701234567")
    message = make_message(Channel.SMS, anna)
    make_message(Channel.SMS, anna, sent_at=SENT_AT - timedelta(days=10))

    (event,) = reading_of_reply("smpp", "46701234567", "STOP", SENT_AT + timedelta(hours=1)).events
    assert apply([Said(event)]) == []

    assert [each.accepts_sms for each in Contact.objects.all()] == [False, False]
    assert all(each.accepts_email for each in Contact.objects.all())
    change = Change.objects.get(contact=bert, kind=Change.Kind.OPTED_OUT)
    assert (change.field, change.message_id) == ("sms", message.pk)
    message.refresh_from_db()
    assert message.status == "unknown"


@pytest.mark.django_db(transaction=True)
def test_stop_of_somebody_we_never_wrote_to_waits_and_is_not_lost() -> None:
    (event,) = reading_of_reply("smpp", "46709999999", "STOP", SENT_AT).events

    assert [each.event for each in apply([Said(event)])] == [event]
