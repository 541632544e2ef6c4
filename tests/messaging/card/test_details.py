"""The dialog about one message, which is a page, too."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from contacts.blocks import record
from contacts.models import Channel, Contact
from messaging.models import Message
from messaging.status.order import EMAIL_STATUSES, SMS_STATUSES, Kind, Status
from tests.factories import (
    ago,
    block_of,
    hard_bounce,
    htmx,
    log_in,
    make_contact,
    make_message,
    make_user,
    report,
    said,
)


@pytest.fixture
def anna(db: None) -> Contact:
    contact = make_contact(mobile="+46701234567")
    Contact.objects.update(email_consent_at=ago(days=100))
    return contact


@pytest.fixture
def marketer(db: None) -> Client:
    return log_in()


def dialog(client: Client, message: Message) -> str:
    """Its words, blanks made single."""
    page = client.get(message.get_absolute_url(), headers=htmx("dialog-content")).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_hard_bounce_says_why_what_to_do_who_said_it_and_what_followed(marketer: Client, anna: Contact) -> None:
    words = dialog(marketer, make_message(anna, hard_bounce(), subject="Black week"))

    for said_so in (
        "Bounce details Black week",
        f"The receiving mail server says that {anna.email} does not exist.",
        "What to do: Ask the person for a new address.",
        "Reason User unknown",
        "Code 550 5.1.1",
        "Said by mx1.example.se through SendGrid",
        "So we blocked the address for all send-outs",
        "550 5.1.1 The email account that you tried to reach does not exist.",
        "Handed to SendGrid",
    ):
        assert said_so in words, said_so


@pytest.mark.parametrize(("channel", "status"), [(Channel.EMAIL, s) for s in EMAIL_STATUSES] + [(Channel.SMS, s) for s in SMS_STATUSES])  # fmt: skip
def test_every_status_is_explained(marketer: Client, anna: Contact, channel: Channel, status: Status) -> None:
    message = make_message(anna, channel=channel, status=status)

    page = marketer.get(message.get_absolute_url(), headers=htmx("dialog-content")).content.decode()

    says = re.search(r'class="says">(.*?)</p>', page, re.DOTALL)
    assert says
    assert len(says[1]) > 20
    assert "%(" not in page


def test_is_a_page_without_javascript(marketer: Client, anna: Contact) -> None:
    page = marketer.get(make_message(anna, hard_bounce()).get_absolute_url()).content.decode()

    assert "<html" in page
    assert f'href="{anna.get_absolute_url()}"' in page
    assert "Bounce details" in page


def test_survives_its_contact(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, hard_bounce())
    anna.delete()

    assert "A deleted contact" in marketer.get(message.get_absolute_url()).content.decode()


def test_deferred_says_when_it_gives_up(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, said(Kind.DEFERRED, ago(hours=1), reason="greylisted"), sent_at=ago(hours=1))

    words = dialog(marketer, message)

    assert "The receiving side has put the message on hold." in words
    assert re.search(r"Gives up unless it is delivered \(in\s71\sh\) \d+ \w+( \d{4})?, \d\d:\d\d:\d\d", words)


def test_events_that_changed_nothing_say_why(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, hard_bounce(ago(minutes=30)))
    report(message, said(Kind.DEFERRED, ago(minutes=40), reason="greylisted", reply_code="451", status_code="4.7.1"))

    page = marketer.get(message.get_absolute_url(), headers=htmx("dialog-content")).content.decode()
    ignored = re.findall(r'<li class="ignored">.*?</li>', page, re.DOTALL)

    assert len(ignored) == 1
    for said_so in ("Deferred", "451 4.7.1", "reported", "The final word was known already, so it changed nothing."):
        assert said_so in ignored[0], said_so


def test_what_followed_tells_every_way_it_can_end(marketer: Client, anna: Contact) -> None:
    first = make_message(anna, hard_bounce(ago(minutes=50)))
    second = make_message(anna, hard_bounce(ago(minutes=40)))
    soft = make_message(anna, said(Kind.SOFT_BOUNCE, reason="mailbox_full"))
    complaint = make_message(anna, said(Kind.DELIVERED), said(Kind.COMPLAINED, reason="complaint"))

    assert "So we did nothing more: the address was blocked already" in dialog(marketer, second)
    assert "So we keep the address: the next send-out goes to it again" in dialog(marketer, soft)
    assert "So we unsubscribed the person" in dialog(marketer, complaint)

    eva = make_user("Administrators", "eva")
    record.lift(block_of(anna).pk, actor_id=eva.pk, reason="Works again")
    late = make_message(anna, hard_bounce(ago(minutes=30)))

    assert "blocked the address for all send-outs; eva removed the block just now" in dialog(marketer, first)
    assert "did not block the address again" in dialog(marketer, late)


def test_giving_up_is_ours_and_keeps_the_servers_last_words(marketer: Client, anna: Contact) -> None:
    event = said(Kind.GAVE_UP, provider="engage", reason="expired", diagnostic="451 4.3.2 try later")

    words = dialog(marketer, make_message(anna, event))

    assert "Said by Engage, as no final word came from SendGrid" in words
    assert "451 4.3.2 try later" in words


def test_automatic_open_is_called_so(marketer: Client, anna: Contact) -> None:
    words = dialog(marketer, make_message(anna, said(Kind.OPENED, is_automatic=True)))

    assert "Probably by a program that downloads the images of every email" in words
    assert "by a program" in words


def test_is_refused_without_permission(anna: Contact) -> None:
    assert log_in(group="").get(make_message(anna).get_absolute_url()).status_code == 403


def test_servers_words_are_escaped(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, said(Kind.SOFT_BOUNCE, diagnostic="<script>alert(1)</script>", said_by="<b>mx"))

    page = marketer.get(message.get_absolute_url()).content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_no_such_message_is_404(marketer: Client) -> None:
    assert marketer.get(reverse("messaging:details", args=[1])).status_code == 404
