"""The pages of a send-out: from its name to its start, who may do what, and what a message said."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from contacts.models import Contact
from messaging.models import Message, SendOut
from messaging.sendouts import making
from messaging.sendouts.handover import work
from messaging.sendouts.handover.routes import Direct
from messaging.sendouts.models import State
from tests.factories import log_in, make_contact
from tests.messaging.sendouts.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db


def address(name: str, *arguments: object) -> str:
    return reverse(f"messaging:{name}", args=arguments)


def written(client: Client, **said: str) -> SendOut:
    """A draft that has an audience and says something."""
    client.post(address("send_out_new"), {"name": "Autumn", "channel": "email"})
    made = SendOut.objects.latest("pk")
    client.post(address("send_out_audience", made.pk), {"kind": "all"})
    content = {
        "sender_name": "Shop", "sender": "news@shop.example", "subject": "Hi [[firstName,you]]",
        "html": "<p>Hi <b>[[firstName]]</b></p>", "text": "",
    } | said  # fmt: skip
    answer = client.post(address("send_out_content", made.pk), content)
    assert answer.status_code in (302, 422)
    client.post(address("send_out_setting", made.pk), {"control_percentage": "0", "tracks_opens": "on"})
    made.refresh_from_db()
    return made


def test_a_marketer_writes_a_send_out_and_starts_it() -> None:
    make_contact(email="anna@example.org")
    make_contact(email="", mobile="+46701234567")
    marketer = log_in("Marketers")
    made = written(marketer)

    final = marketer.get(address("send_out_final", made.pk)).content.decode()
    assert "1 contact gets it." in final
    assert "No address" in final
    answer = marketer.post(address("send_out_final", made.pk), {"when": "now"}, follow=True)
    making.make_rows(made.pk)

    made.refresh_from_db()
    assert made.state == State.SENDING
    assert "Started." in answer.content.decode()
    assert Message.objects.get().address.value == "anna@example.org"
    page = marketer.get(made.get_absolute_url()).content.decode()
    assert "0 of 1 handed over" in page
    assert "No address 1" in page


def test_a_tag_that_is_none_is_said_and_nothing_can_start() -> None:
    make_contact()
    marketer = log_in("Marketers")
    made = written(marketer, subject="Hi [[fristName]]")

    content = marketer.post(
        address("send_out_content", made.pk),
        {"sender_name": "S", "sender": "a@b.example", "subject": "[[fristName]]", "html": "x", "text": ""},
    )
    assert "Did you mean [[firstName]]?" in content.content.decode()
    marketer.post(address("send_out_final", made.pk), {"when": "now"})
    made.refresh_from_db()
    assert made.state == State.DRAFT


def test_who_is_behind_a_number_can_be_seen() -> None:
    make_contact(first_name="Berta", email="berta@example.org")
    marketer = log_in("Marketers")
    made = written(marketer)

    assert "Berta" in marketer.get(address("send_out_members", made.pk, "waiting")).content.decode()
    assert "Nobody" in marketer.get(address("send_out_members", made.pk, "blocked")).content.decode()


def test_what_was_started_can_be_paused_and_edited_no_more() -> None:
    make_contact()
    marketer = log_in("Marketers")
    made = written(marketer)
    marketer.post(address("send_out_final", made.pk), {"when": "now"})

    marketer.post(address("send_out_move", made.pk, "pause"))
    made.refresh_from_db()
    assert made.state == State.PAUSED
    told = marketer.get(address("send_out_content", made.pk), follow=True)
    assert "cannot be edited any more" in told.content.decode()
    again = marketer.post(address("send_out_move", made.pk, "pause"), follow=True)
    assert "Somebody was faster" in again.content.decode()


@pytest.mark.parametrize("name", ["send_out_audience", "send_out_content", "send_out_setting", "send_out_final"])
def test_support_may_neither_write_nor_start(name: str) -> None:
    made = written(log_in("Marketers"))
    support = log_in("Support")

    assert support.get(address(name, made.pk)).status_code == 403
    assert support.post(address(name, made.pk), {"when": "now"}).status_code == 403
    assert support.post(address("send_out_move", made.pk, "cancel")).status_code == 403


def test_a_preview_shows_it_as_a_contact_in_a_frame_that_can_do_nothing() -> None:
    anna = make_contact(first_name="<Anna>", email="anna@example.org")
    marketer = log_in("Marketers")
    made = written(marketer)

    page = marketer.get(address("send_out_preview", made.pk), {"who": "anna"}).content.decode()
    assert "Hi &lt;Anna&gt;" in page
    frame = marketer.get(address("send_out_preview_frame", made.pk, anna.guid))
    assert "<p>Hi <b>&lt;Anna&gt;</b></p>" in frame.content.decode()
    assert frame["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert frame["X-Frame-Options"] == "SAMEORIGIN"


def test_a_message_shows_what_it_said_whatever_was_edited_since() -> None:
    anna = make_contact(first_name="Anna", email="anna@example.org")
    marketer = log_in("Marketers")
    made = written(marketer)
    marketer.post(address("send_out_final", made.pk), {"when": "now"})
    making.make_rows(made.pk)
    message = Message.objects.get()
    SendOut.objects.filter(pk=made.pk).update(subject="Something else")

    tab = marketer.get(address("tab", anna.guid)).content.decode()
    assert address("message_content", message.pk) in tab
    assert "Hi Anna" in marketer.get(address("message_content", message.pk)).content.decode()
    assert "<b>Anna</b>" in marketer.get(address("message_frame", message.pk)).content.decode()


def test_the_messages_behind_a_status_lead_to_their_contacts() -> None:
    anna = make_contact(first_name="Anna")
    marketer = log_in("Marketers")
    made = written(marketer)
    marketer.post(address("send_out_final", made.pk), {"when": "now"})
    making.make_rows(made.pk)

    page = marketer.get(address("send_out_messages", made.pk, "waiting")).content.decode()
    assert address("tab", anna.guid) in page
    assert "None" in marketer.get(address("send_out_messages", made.pk, "delivered")).content.decode()
    assert Contact.objects.count() == 1


@pytest.fixture
def sent(settings: Settings) -> Iterator[tuple[Receiver, Client, Message]]:
    """A message to Anna that has arrived, the receiver that took it, and a marketer."""
    with receiver() as taker:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", taker.port)
        make_contact(first_name="Anna", email="anna@example.org")
        marketer = log_in("Marketers")
        made = written(marketer)
        marketer.post(address("send_out_final", made.pk), {"when": "now"})
        making.make_rows(made.pk)
        work.hand_over(made.pk)
        yield taker, marketer, Message.objects.get()


def test_the_paper_plane_sends_it_again_as_a_new_message(sent: tuple[Receiver, Client, Message]) -> None:
    taker, marketer, message = sent
    again = address("send_again", message.pk)
    assert "Send it again?" in marketer.get(again).content.decode()
    assert len(taker.taken) == 1

    marketer.post(again)
    work.try_again()

    assert [each.rcpt_tos for each in taker.taken] == [["anna@example.org"]] * 2
    new = Message.objects.latest("pk")
    assert (new.status, new.subject, new.send_out, new.contact) == ("delivered", "Hi Anna", None, message.contact)
    assert new.next_attempt_at is None


def test_nothing_is_sent_again_to_who_left_or_is_blocked(sent: tuple[Receiver, Client, Message]) -> None:
    taker, marketer, message = sent
    Contact.objects.update(accepts_email=False)

    answer = marketer.post(address("send_again", message.pk))

    assert answer.status_code == 409
    assert "unsubscribed" in answer.content.decode()
    work.try_again()
    assert len(taker.taken) == 1


def test_a_marketer_sends_a_test_to_oneself(sent: tuple[Receiver, Client, Message]) -> None:
    taker, marketer, message = sent
    User.objects.update(email="me@shop.example")
    assert message.send_out is not None

    told = marketer.post(address("send_out_test", message.send_out.pk), follow=True).content.decode()
    work.try_again()

    assert "A test is on its way to me@shop.example." in told
    assert taker.taken[-1].rcpt_tos == ["me@shop.example"]
