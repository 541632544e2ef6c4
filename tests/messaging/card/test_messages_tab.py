"""The Messages tab: its rows, filters and pages, and rows that keep themselves up to date."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from contacts.history import save_contact
from contacts.models import Channel, Contact
from engage import keyset
from messaging.card.rows import listed, messages_of, rows_of, version_of
from messaging.models import Message, SendOut
from messaging.status.order import EMAIL_STATUSES, LOOKS, SMS_STATUSES, Kind, Status
from tests.factories import address, ago, hard_bounce, htmx, log_in, make_contact, make_many, make_message, report, said


@pytest.fixture
def anna(db: None) -> Contact:
    return make_contact(mobile="+46701234567")


@pytest.fixture
def marketer(db: None) -> Client:
    return log_in()


def tab(contact: Contact) -> str:
    return reverse("messaging:tab", args=[contact.guid])


def ids(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'<li id="message-(\d+)"', page)]


def row_of(page: str, message: Message) -> str:
    found = re.search(rf'<li id="message-{message.pk}".*?</li>', page, re.DOTALL)
    assert found
    return found[0]


def hint_of(page: str, message: Message) -> str:
    found = re.search(r'class="hint">(.*?)</span>', row_of(page, message))
    return found[1] if found else ""


def test_lists_both_channels_newest_first(marketer: Client, anna: Contact) -> None:
    email, sms = make_message(anna), make_message(anna, channel=Channel.SMS)
    make_message(make_contact())

    page = marketer.get(tab(anna)).content.decode()

    assert ids(page) == [sms.pk, email.pk]
    assert 'aria-label="SMS"' in row_of(page, sms)
    assert "+46 70 123 45 67" in row_of(page, sms)
    assert 'aria-label="Email"' in row_of(page, email)
    assert anna.email in row_of(page, email)


def test_shows_the_address_it_went_to_not_the_one_of_today(marketer: Client, anna: Contact) -> None:
    old = make_message(anna, address=address("old@example.se"))

    assert "old@example.se" in row_of(marketer.get(tab(anna)).content.decode(), old)


def test_is_named_by_subject_or_else_by_send_out(marketer: Client, anna: Contact) -> None:
    send_out = SendOut.objects.create(name="Autumn", channel="email", subject="")
    own = make_message(anna, subject="<Own> & mine")
    named = make_message(anna, subject="", send_out=send_out)

    page = marketer.get(tab(anna)).content.decode()

    assert "&lt;Own&gt; &amp; mine</a>" in row_of(page, own)
    assert "Autumn</a>" in row_of(page, named)


def test_is_headed_as_it_was_said_whatever_is_edited_since(marketer: Client) -> None:
    eva = make_contact(first_name="Eva")
    send_out = SendOut.objects.create(name="Spring", channel=Channel.EMAIL, subject="For [[firstName,friend]] only")
    before = make_message(eva, send_out=send_out, subject="", sent_at=ago(days=2))
    for name in ("Moved", ""):
        eva.first_name = name
        save_contact(eva, actor_id=None)
    after = make_message(eva, send_out=None, subject="Later")

    page = marketer.get(tab(eva)).content.decode()
    content = marketer.get(reverse("messaging:details", args=[before.pk])).content.decode()

    assert "For Eva only" in row_of(page, before)
    assert "For Eva only" in content
    assert "Later" in row_of(page, after)


def test_of_a_deleted_contact_it_is_headed_by_what_stands_in_for_a_name(marketer: Client) -> None:
    eva = make_contact(first_name="Eva")
    send_out = SendOut.objects.create(name="Spring", channel=Channel.EMAIL, subject="For [[firstName,friend]] only")
    message = make_message(eva, send_out=send_out, subject="", sent_at=ago(days=2))
    eva.delete()

    assert "For friend only" in marketer.get(reverse("messaging:details", args=[message.pk])).content.decode()


def test_time_is_relative_and_the_exact_one_is_reachable(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, sent_at=ago(hours=2, minutes=5))

    time = re.search(r"<time.*?</time>", row_of(marketer.get(tab(anna)).content.decode(), message))

    assert time
    assert 'tabindex="0"' in time[0]
    assert "2 hours ago" in time[0]
    assert f"{message.sent_at:%H:%M} UTC" in time[0]


@pytest.mark.parametrize(("channel", "status"), [(Channel.EMAIL, s) for s in EMAIL_STATUSES] + [(Channel.SMS, s) for s in SMS_STATUSES])  # fmt: skip
def test_every_status_has_words_icon_and_colour(
    marketer: Client, anna: Contact, channel: Channel, status: Status
) -> None:
    message = make_message(anna, channel=channel, status=status)
    look, sign = LOOKS[status]

    row = row_of(marketer.get(tab(anna)).content.decode(), message)

    words = "Included in a control group" if status == Status.CONTROL_GROUP else str(status.label)
    assert re.search(rf'class="pill {look}"><svg[^>]*><use href="[^"]*#{sign}"/></svg>{re.escape(words)}<', row)


@pytest.mark.parametrize("status", Status)
def test_information_icon_stands_beside_what_needs_words(marketer: Client, anna: Contact, status: Status) -> None:
    message = make_message(anna, status=status, subject="Black week")
    fine = {Status.WAITING, Status.DELIVERED, Status.OPENED, Status.CONTROL_GROUP}

    row = row_of(marketer.get(tab(anna)).content.decode(), message)

    assert ("details: Black week" in row) == (status not in fine)
    assert ("Delivery details: " in row) == (status in {Status.UNKNOWN, Status.UNTRACEABLE})


def test_hints_say_what_matters(marketer: Client, anna: Contact) -> None:
    gone = timezone.now() - timedelta(hours=41)
    deferral = said(Kind.DEFERRED, gone, reason="mailbox_full", reply_code="452", status_code="4.2.2")
    bounced, on_hold = make_message(anna, hard_bounce()), make_message(anna, deferral, sent_at=gone)
    opened = make_message(anna, said(Kind.OPENED, is_automatic=True))
    gave_up = make_message(anna, said(Kind.GAVE_UP, provider="engage", reason="expired"))
    expired = make_message(anna, status=Status.EXPIRED, channel=Channel.SMS)
    control = make_message(anna, status=Status.CONTROL_GROUP)

    page = marketer.get(tab(anna)).content.decode()

    assert hint_of(page, bounced) == "User unknown · 550 5.1.1"
    assert re.fullmatch(
        r"Mailbox full · 452 4.2.2 · gives up \w{3} \d\d:\d\d \(in\xa031\xa0h\)", hint_of(page, on_hold)
    )
    assert hint_of(page, opened) == "Probably automatic"
    assert hint_of(page, gave_up) == "Gave up after 72 hours"
    assert hint_of(page, expired) == "Not delivered within 48 hours"
    assert hint_of(page, control) == "Not sent, on purpose"


def test_filters_by_channel_and_status_as_the_url_says(marketer: Client, anna: Contact) -> None:
    email = make_message(anna, status=Status.DELIVERED)
    sms = make_message(anna, status=Status.DELIVERED, channel=Channel.SMS)
    bounced = make_message(anna, status=Status.SOFT_BOUNCE)

    def shown(**query: str) -> list[int]:
        return ids(marketer.get(tab(anna), query).content.decode())

    assert shown(channel="email") == [bounced.pk, email.pk]
    assert shown(status="delivered") == [sms.pk, email.pk]
    assert shown(channel="sms", status="delivered") == [sms.pk]
    assert shown(channel="pigeon", status="?") == [bounced.pk, sms.pk, email.pk]


def test_offers_the_statuses_of_the_channel_and_drops_one_that_does_not_fit(marketer: Client, anna: Contact) -> None:
    sms = make_message(anna, status=Status.DELIVERED, channel=Channel.SMS)

    answer = marketer.get(tab(anna), {"channel": "sms", "status": "deferred"}, headers=htmx())
    page = answer.content.decode()

    assert re.findall(r'<option value="(\w+)"', page) == [status.value for status in SMS_STATUSES]
    assert ids(page) == [sms.pk]
    assert answer.headers["HX-Push-Url"] == f"{tab(anna)}?channel=sms"


def test_pages_by_keyset_within_the_filter(marketer: Client, anna: Contact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "SIZE", 2)
    wanted = [make_message(anna, status=Status.FAILED, channel=Channel.SMS).pk for _ in range(5)][::-1]
    make_message(anna)
    seen, address = [], f"{tab(anna)}?status=failed"
    while address:
        rows = marketer.get(address, headers=htmx("more")).content.decode()
        assert rows.count("autofocus") == 1
        seen += ids(rows)
        link = re.search(r'href="([^"]*before=\d+)"', rows)
        address = link[1].replace("&amp;", "&") if link else ""

    assert seen == wanted


def test_three_empty_states_differ(marketer: Client, anna: Contact) -> None:
    unreachable = make_contact(email="")

    nothing = marketer.get(tab(anna)).content.decode()
    cannot = marketer.get(tab(unreachable)).content.decode()
    make_message(anna)
    none_match = marketer.get(tab(anna), {"status": "failed"}).content.decode()

    assert "No messages yet" in nothing
    assert "Nothing can be sent" in cannot
    assert "No message matches" in none_match
    assert f'href="{tab(anna)}"' in none_match


def test_needs_both_permissions(anna: Contact) -> None:
    assert log_in(group="").get(tab(anna)).status_code == 403


def test_costs_at_most_eight_queries(anna: Contact, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    make_many(anna, 100)
    make_message(anna, hard_bounce(), said(Kind.COMPLAINED, reason="complaint"), channel=Channel.EMAIL)
    administrator = log_in("Administrators")

    with django_assert_max_num_queries(8):
        page = administrator.get(tab(anna)).content.decode()

    assert len(ids(page)) == keyset.SIZE


@pytest.mark.parametrize("channel", Channel)
def test_rows_of_all_kinds_cost_one_query_and_say_the_same_as_each_alone(
    anna: Contact, channel: Channel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    send_out = SendOut.objects.create(name="Spring", channel=channel)
    for status in Status:
        for more in ({}, {"reason": "in_doubt"}, {"reason": "greylisted", "code": "450 4.2.0"}, {"parts_arrived": 1}):
            fields = more | {"due_at": ago(hours=-3), "is_opened": status == Status.OPENED}
            make_message(anna, channel=channel, status=status, send_out=None, **fields)
    make_message(anna, channel=channel, status=Status.WAITING, send_out=send_out, subject="", sent_at=None)

    with django_assert_num_queries(1):
        rows = rows_of(listed(messages_of(anna)))

    assert len(rows) == 4 * len(Status) + 1
    assert rows == [row for message in listed(messages_of(anna)) for row in rows_of([message])]


def test_a_row_asks_for_news_only_while_there_can_be_some(marketer: Client, anna: Contact) -> None:
    live, old = (
        make_message(anna, status=Status.UNKNOWN),
        make_message(anna, status=Status.UNKNOWN, sent_at=ago(days=8)),
    )
    final = make_message(anna, status=Status.DELIVERED)

    page = marketer.get(tab(anna)).content.decode()

    assert f'hx-get="/messages/{live.pk}/row/?seen={version_of(live)}"' in row_of(page, live)
    assert "every 10s" in row_of(page, live)
    assert "every" not in row_of(page, old) + row_of(page, final)


def test_row_without_news_is_no_answer_and_with_news_the_row(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, said(Kind.ACCEPTED))
    address = f"{reverse('messaging:row', args=[message.pk])}?seen={version_of(message)}"
    assert marketer.get(address, headers=htmx()).status_code == 204

    report(message, hard_bounce())
    answer = marketer.get(address, headers=htmx())
    page = answer.content.decode()

    assert "Hard bounce" in row_of(page, message)
    assert "every" not in row_of(page, message)
    assert f"{message.subject} is now: Hard bounce" in page
    assert "status-changed" in answer.headers["HX-Trigger"]


def test_row_is_for_htmx_and_for_those_who_may(marketer: Client, anna: Contact) -> None:
    message = make_message(anna)
    address = reverse("messaging:row", args=[message.pk])

    assert marketer.get(address).headers["Location"] == message.get_absolute_url()
    assert log_in(group="").get(address, headers=htmx()).status_code == 403
    assert marketer.get(reverse("messaging:row", args=[0]), headers=htmx()).status_code == 404


def test_overview_shows_the_year_and_the_latest(marketer: Client, anna: Contact) -> None:
    make_message(anna, status=Status.HARD_BOUNCE, sent_at=ago(days=400))
    latest = [make_message(anna, status=Status.DELIVERED).pk for _ in range(6)][::-1]

    page = marketer.get(anna.get_absolute_url()).content.decode()

    assert ids(page) == latest[:5]
    assert "6 Delivered" in page
    assert "1 Hard bounce" not in page
    assert page.count("<rect") == 12 + 1
