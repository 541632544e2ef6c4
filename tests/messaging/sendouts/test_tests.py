"""Tests of a draft: to oneself, or by SMS to a contact under the usual rules; never to strangers, and not for ever."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from contacts.models import Block, Channel, Contact
from messaging.models import Message, SendOut
from messaging.sendouts import drafts, single
from messaging.sendouts.models import SendOutChange
from messaging.sendouts.single import NotSendableError
from messaging.sendouts.steps import latest_change
from tests.factories import log_in, make_contact, make_user
from tests.messaging.sendouts.people import make_send_out

pytestmark = pytest.mark.django_db

NUMBER = "+46701740611"


@pytest.fixture
def sms(settings: Settings) -> SendOut:
    settings.SMS_ROUTE = "twilio"
    return make_send_out(Channel.SMS, sender="Shop")


@pytest.fixture
def me(db: None) -> User:
    user = make_user()
    user.email = "me@engage.example"
    user.save()
    return user


def refusal(send_out: SendOut, me: User, mobile: str = "") -> str:
    with pytest.raises(NotSendableError) as refused:
        single.send_test(send_out, me, mobile)
    assert not Message.objects.exists()
    assert not SendOutChange.objects.filter(kind="tested").exists()
    return str(refused.value)


def test_a_number_of_nobody_gets_no_test(sms: SendOut, me: User) -> None:
    assert "No contact has this number" in refusal(sms, me, NUMBER)


def test_who_has_unsubscribed_gets_no_test(sms: SendOut, me: User) -> None:
    make_contact(mobile=NUMBER)
    Contact.objects.update(accepts_sms=False)

    assert refusal(sms, me, NUMBER) == "The person has unsubscribed."


def test_a_blocked_number_gets_no_test(sms: SendOut, me: User) -> None:
    anna = make_contact(mobile=NUMBER)
    assert anna.mobile_address is not None
    Block.objects.create(address=anna.mobile_address, started_at=timezone.now(), cause="test", reason="user_unknown")

    assert refusal(sms, me, NUMBER) == "The address is blocked."


def test_what_is_no_number_is_told(sms: SendOut, me: User) -> None:
    assert "extension" in refusal(sms, me, "070-174 06 11 ext. 5")


def test_a_contact_gets_it_and_card_and_history_say_so(sms: SendOut, me: User, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = make_contact(mobile=NUMBER)
    monkeypatch.setattr("messaging.delivery.transport_factory.slug_of", lambda _channel: "twilio")
    seen = latest_change(sms)

    sent = single.send_test(sms, me, "070-174 06 11")

    assert (sent.contact, sent.address) == (anna, anna.mobile_address)
    change = sms.changes.get(kind="tested")
    assert (change.actor, change.detail) == (me, NUMBER)
    assert latest_change(sms) == seen
    assert "Test sent" in str(SendOutChange.Kind.TESTED.label)


def test_pressed_twice_it_is_one_and_there_is_a_limit(me: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.delivery.transport_factory.slug_of", lambda _channel: "sendgrid")
    draft = make_send_out(sender="news@engage.example")
    single.send_test(draft, me)

    with pytest.raises(NotSendableError, match="on its way already"):
        single.send_test(draft, me)
    SendOutChange.objects.bulk_create(
        SendOutChange(send_out=draft, kind="tested", actor=me, detail="x") for _ in range(single.TESTS_PER_HOUR)
    )
    with pytest.raises(NotSendableError, match="within an hour"):
        single.send_test(make_send_out(sender="news@engage.example"), me)
    assert Message.objects.count() == 1


def test_an_email_goes_to_nobody_but_oneself(me: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.delivery.transport_factory.slug_of", lambda _channel: "sendgrid")

    assert single.send_test(make_send_out(sender="news@engage.example"), me, "x@evil.example").address.value == me.email


def test_the_page_says_whom_tests_reach(sms: SendOut) -> None:
    page = log_in().get(f"/send-outs/{sms.pk}/preview/").content.decode()

    assert "Tests go to the numbers of contacts who take SMS" in page


def test_two_presses_make_one_draft(me: User) -> None:
    first = drafts.create_once(me.pk, name="Spring", channel="email")

    assert drafts.create_once(me.pk, name="Spring", channel="email") == first
    assert drafts.create_once(me.pk, name="Autumn", channel="email") != first
    assert drafts.create_once(make_user().pk, name="Spring", channel="email") != first
    drafts.save(first, me.pk, "sender", sender="news@engage.example")
    assert drafts.create_once(me.pk, name="Spring", channel="email") != first


@pytest.mark.django_db(transaction=True)
def test_two_presses_at_once_make_one_draft(groups: None, me: User) -> None:
    def press() -> None:
        drafts.create_once(me.pk, name="Spring", channel="email")
        connection.close()

    both = [threading.Thread(target=press) for _ in range(4)]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert SendOut.objects.count() == 1
