"""The pages of a send-out: from its name to its start, who may do what, and what a message said."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from contacts.history import save_contact
from contacts.models import Contact, Label, Labelled
from contacts.templatetags.looks import exact
from messaging.delivery import dispatcher
from messaging.delivery.email_routes import Direct
from messaging.models import MasterControl, Message, SendOut
from messaging.sendouts import lifecycle, making
from messaging.sendouts.control_group_views import ComparedGroup, compared
from messaging.sendouts.models import State
from messaging.sendouts.totals import totals_of
from tests.factories import htmx, log_in, make_contact
from tests.messaging.sendouts.people import make_send_out, run
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
    assert address("send_out_left_out", made.pk, "no_address") in page


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


def test_what_is_scheduled_says_when_it_starts_by_the_clock_of_the_field() -> None:
    make_contact(email="anna@example.org")
    marketer = log_in("Marketers")
    made = written(marketer)
    at = timezone.localtime() + timedelta(days=9)

    marketer.post(address("send_out_final", made.pk), {"when": "later", "at": f"{at:%Y-%m-%dT%H:%M}"})

    assert f"starts {exact(at)}" in marketer.get(made.get_absolute_url()).content.decode()


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
    assert "Somebody was faster" not in again.content.decode()  # it is what the press was for
    otherwise = marketer.post(address("send_out_move", made.pk, "unschedule"), follow=True)
    assert "Somebody was faster: it is Paused." in otherwise.content.decode()


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
    for name in ("message_content", "send_again"):
        page = marketer.get(address(name, message.pk)).content.decode()
        assert f"<bdi>{anna.name}</bdi>" in page  # the way back, without JavaScript
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


def test_who_was_left_out_can_be_seen_afterwards() -> None:
    make_contact(first_name="Anna")
    make_contact(first_name="Bert", email="")
    marketer = log_in("Marketers")
    made = written(marketer)
    run(made)

    assert "Bert" in marketer.get(address("send_out_left_out", made.pk, "no_address")).content.decode()
    assert "Nobody" in marketer.get(address("send_out_left_out", made.pk, "blocked")).content.decode()
    assert marketer.get(address("send_out_left_out", made.pk, "nonsense")).status_code == 404


def test_the_control_group_stands_beside_the_others() -> None:
    for _ in range(60):
        make_contact()
    made = make_send_out(control_percentage=50, control_seed=5)
    run(made)
    made.refresh_from_db()
    held = Message.objects.filter(status="control_group").count()
    assert 0 < held < 60
    quitter = Contact.objects.filter(message__status="waiting").latest("pk")
    quitter.accepts_email = False
    save_contact(quitter, actor_id=None)
    marketer = log_in("Marketers")

    assert "Control group beside the others" in marketer.get(made.get_absolute_url()).content.decode()
    shown = compared(made)

    assert (shown["sent"], shown["held"]) == (ComparedGroup(60 - held, 1), ComparedGroup(held, 0))
    for headers in ({}, htmx("comparison")):
        page = marketer.get(address("send_out_comparison", made.pk), headers=headers).content.decode()
        assert f"<td>{held}</td><td>0</td>" in page


def test_a_marketer_sets_the_master_control_group_for_what_starts_later() -> None:
    anna, vip = make_contact(), Label.objects.create(name="VIP")
    Labelled.objects.create(contact=anna, label=vip)
    running = make_send_out()
    lifecycle.start(running.pk)
    marketer = log_in("Marketers")

    marketer.post(address("master_control"), {"percentage": "0", "label": vip.pk})
    seed = MasterControl.objects.get().seed
    marketer.post(address("master_control"), {"percentage": "2.5", "label": vip.pk})
    assert MasterControl.objects.get().seed == seed
    making.make_rows(running.pk)
    later = make_send_out()
    run(later)

    assert totals_of([running.pk])[running.pk]["waiting"] == 1
    assert totals_of([later.pk])[later.pk]["master_control"] == 1
    assert marketer.post(address("master_control"), {"percentage": "60"}).status_code == 422
    marketer.post(address("master_control"), {"percentage": "2.5", "draws_anew": "on"})
    assert MasterControl.objects.get().seed != seed
    assert log_in("Support").get(address("master_control")).status_code == 403


def test_the_count_follows_what_is_being_filled_in() -> None:
    make_contact(country="SE")
    make_contact(country="NO")
    marketer = log_in("Marketers")
    made = written(marketer)
    count = address("send_out_count", made.pk)

    asked = {"kind": "segment", "country": "se", "country_not": "", "statuses_not": "", "opened_not": ""}
    assert "1 of 1 get it." in marketer.post(count, asked).content.decode()
    assert "2 of 2 get it." in marketer.post(count, {"kind": "all"}).content.decode()
    assert "get it" not in marketer.post(count, asked | {"country": "Sweden"}).content.decode()
    made.refresh_from_db()
    assert made.audience == {"kind": "all"}


def test_an_uploaded_list_is_kept_and_what_is_wrong_with_it_is_said() -> None:
    make_contact(email="anna@example.org")
    marketer = log_in("Marketers")
    made = written(marketer)
    upload = SimpleUploadedFile("people.csv", b"email\nanna@example.org\nnonsense\n")

    told = marketer.post(
        address("send_out_audience", made.pk), {"kind": "list", "upload": upload}, follow=True
    ).content.decode()

    assert "Line 3: nonsense" in told
    assert "1 of 1 get it." in told
    made.refresh_from_db()
    assert made.audience["kind"] == "list"


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
        dispatcher.hand_over(made.pk)
        yield taker, marketer, Message.objects.get()


def test_the_paper_plane_sends_it_again_as_a_new_message(sent: tuple[Receiver, Client, Message]) -> None:
    taker, marketer, message = sent
    again = address("send_again", message.pk)
    assert "Send it again?" in marketer.get(again).content.decode()
    assert len(taker.taken) == 1

    marketer.post(again)
    dispatcher.try_again()

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
    dispatcher.try_again()
    assert len(taker.taken) == 1


def test_a_marketer_sends_a_test_to_oneself(sent: tuple[Receiver, Client, Message]) -> None:
    taker, marketer, message = sent
    User.objects.update(email="me@shop.example")
    assert message.send_out is not None

    told = marketer.post(address("send_out_test", message.send_out.pk), follow=True).content.decode()
    dispatcher.try_again()

    assert "A test is on its way to me@shop.example." in told
    assert taker.taken[-1].rcpt_tos == ["me@shop.example"]
