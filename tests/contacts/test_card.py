"""The contact card: head, tabs, and why an address is blocked."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from contacts.blocks import record
from contacts.history import save_contact
from contacts.models import Change, Channel, Contact
from engage import keyset
from messaging.bounces.reasons import reason_of
from messaging.status.order import Kind
from tests.factories import ago, block_of, hard_bounce, htmx, log_in, make_contact, make_message, make_user, said

TABS = ["contacts:card", "messaging:tab", "contacts:history"]


@pytest.fixture
def anna(db: None) -> Contact:
    contact = make_contact(mobile="+46701234567", country="SE", language="sv")
    Contact.objects.update(email_consent_at=ago(days=100), sms_consent_at=ago(days=100))
    contact.refresh_from_db()
    return contact


@pytest.fixture
def marketer(db: None) -> Client:
    return log_in()


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_a_page_of_its_own(marketer: Client, anna: Contact, tab: str) -> None:
    address = reverse(tab, args=[anna.guid])

    page = marketer.get(address).content.decode()

    assert "<html" in page
    assert "+46 70 123 45 67" in page
    assert re.search(rf'href="{address}"[^>]*aria-current="page"', page)


@pytest.mark.parametrize("tab", TABS)
def test_htmx_gets_the_panel_alone_with_its_title(marketer: Client, anna: Contact, tab: str) -> None:
    answer = marketer.get(reverse(tab, args=[anna.guid]), headers=htmx())
    panel = answer.content.decode()

    assert "<html" not in panel
    assert 'id="card-head"' not in panel
    assert "· Anna Lindqvist · Engage</title>" in panel
    assert "HX-Request" in answer.headers["Vary"]


@pytest.mark.parametrize("tab", TABS)
def test_every_link_of_htmx_has_an_address_that_works(marketer: Client, anna: Contact, tab: str) -> None:
    make_message(anna, hard_bounce())

    page = marketer.get(reverse(tab, args=[anna.guid])).content.decode()
    links = [link for link in re.findall(r"<a [^>]*>", page) if "hx-get" in link]

    assert links
    for link in links:
        href = re.search(r'href="([^"]+)"', link)
        assert href, link
        assert marketer.get(href[1]).status_code == 200, link


@pytest.mark.parametrize("tab", TABS)
def test_no_such_contact_is_404_and_no_permission_403(anna: Contact, marketer: Client, tab: str) -> None:
    assert marketer.get(reverse(tab, args=["00000000-0000-4000-8000-000000000000"])).status_code == 404
    assert log_in(group="").get(reverse(tab, args=[anna.guid])).status_code == 403


def test_blocked_address_says_so_and_why(marketer: Client, anna: Contact) -> None:
    make_message(anna, hard_bounce(ago(hours=2, minutes=1)))

    page = marketer.get(anna.get_absolute_url()).content.decode()

    assert re.search(rf'is-blocked"><bdi>{anna.email}</bdi>', page)
    assert "Blocked" in page
    assert re.search(r"Hard bounce <time[^>]*><span class=\"ago\">2 hours ago</span></time>\.", page)
    assert escape(reason_of("user_unknown").says(Channel.EMAIL, anna.email)) in page
    assert f"Why is {anna.email} blocked?" in page


def test_opted_out_address_says_since_when_and_why(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, said(Kind.COMPLAINED, ago(days=3), reason="complaint"))

    page = marketer.get(anna.get_absolute_url()).content.decode()

    assert re.search(rf'is-unsubscribed"><bdi>{anna.email}</bdi>', page)
    assert "3 days ago" in page
    assert "The person marked a message as spam." in page
    assert f'href="/messages/{message.pk}/"' in page


def test_why_names_rule_message_code_time_and_whom_it_covers(marketer: Client, anna: Contact) -> None:
    message = make_message(anna, hard_bounce())
    sharer = make_contact("Bo", "Berg", email=anna.email)
    address = reverse("contacts:block", args=[anna.guid, block_of(anna).pk])

    dialog = marketer.get(address, headers=htmx("dialog-content")).content.decode()

    assert "One hard bounce blocks an address" in dialog
    assert f'href="/messages/{message.pk}/"' in dialog
    assert "User unknown" in dialog
    assert "550 5.1.1" in dialog
    assert "The email account that you tried to reach does not exist." in dialog
    assert sharer.name in dialog
    assert "<html" in marketer.get(address).content.decode()


def test_block_of_somebody_else_is_not_shown(marketer: Client, anna: Contact) -> None:
    make_message(anna, hard_bounce())
    other = make_contact("Bo", "Berg")

    assert marketer.get(reverse("contacts:block", args=[other.guid, block_of(anna).pk])).status_code == 404


def test_remove_block_is_offered_to_administrators_alone(marketer: Client, anna: Contact) -> None:
    make_message(anna, hard_bounce())

    assert "Remove block" not in marketer.get(anna.get_absolute_url()).content.decode()
    assert "Remove block" in log_in("Administrators").get(anna.get_absolute_url()).content.decode()


def test_head_alone_is_for_htmx(marketer: Client, anna: Contact) -> None:
    address = reverse("contacts:head", args=[anna.guid])

    head = marketer.get(address, headers=htmx("card-head")).content.decode()

    assert head.strip().startswith("<header")
    assert marketer.get(address).headers["Location"] == anna.get_absolute_url()


def test_history_tells_when_who_what_and_why(marketer: Client, anna: Contact) -> None:
    eva = make_user("Administrators", "eva")
    anna.last_name = "Ek"
    save_contact(anna, actor_id=eva.pk, why="She married")
    message = make_message(anna, hard_bounce(), said(Kind.UNSUBSCRIBED, ago(minutes=5), reason="unsubscribe"))
    record.lift(block_of(anna).pk, actor_id=eva.pk, reason="She called\n<b>us</b>")

    page = marketer.get(reverse("contacts:history", args=[anna.guid])).content.decode()
    lines = re.findall(r'<li class="change (\w+)"', page)

    assert lines == ["lifted", "opted_out", "blocked", "edited", "created"]
    for words in (
        "Last name changed", "Lindqvist", "Ek", "She married", "She called<br>&lt;b&gt;us&lt;/b&gt;", "eva",
        "User unknown · 550 5.1.1", "Unsubscribed from email", "The person used the unsubscribe link.",
        f'href="/messages/{message.pk}/"',
    ):  # fmt: skip
        assert words in page, words


def test_history_pages_by_keyset(marketer: Client, anna: Contact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "SIZE", 2)
    Change.objects.bulk_create(Change(contact=anna, kind="edited", field="country", new=str(n)) for n in range(3))
    address = reverse("contacts:history", args=[anna.guid])

    first = marketer.get(address).content.decode()
    link = re.search(r'href="([^"]*\?before=\d+)"', first)
    assert link
    rows = marketer.get(link[1], headers=htmx("more")).content.decode()

    assert rows.count("<li") == 2
    assert 'tabindex="-1" autofocus' in rows
    assert "Contact created" in rows


@pytest.mark.parametrize("tab", TABS)
def test_costs_at_most_ten_queries(
    anna: Contact, tab: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        make_message(anna, hard_bounce(), said(Kind.COMPLAINED, reason="complaint"))
    administrator = log_in("Administrators")

    with django_assert_max_num_queries(10):
        administrator.get(reverse(tab, args=[anna.guid]))


def test_names_are_escaped_and_kept_in_their_own_direction(marketer: Client) -> None:
    contact = make_contact("<b>محمد", "🦊")

    page = marketer.get(contact.get_absolute_url()).content.decode()

    assert "<h1><bdi>&lt;b&gt;محمد 🦊</bdi></h1>" in page


def test_sms_words_stand_beside_an_sms_block(marketer: Client, anna: Contact) -> None:
    event = said(Kind.HARD_BOUNCE, provider="twilio", reason="user_unknown", provider_code="30005")
    make_message(anna, event, channel=Channel.SMS)

    page = marketer.get(anna.get_absolute_url()).content.decode()

    assert escape(reason_of("user_unknown").says(Channel.SMS, "+46 70 123 45 67")) in page


def test_the_card_says_whom_a_consent_covers_besides(marketer: Client, anna: Contact) -> None:
    own = reverse("contacts:card", args=[anna.guid])
    assert '<dt class="soft">Covers</dt>' not in marketer.get(own).content.decode()
    mother = make_contact(first_name="Maria", last_name="Berg", email=anna.email)
    father = make_contact(first_name="Nils", last_name="Berg", mobile=anna.mobile)

    page = marketer.get(own).content.decode()

    by_email, by_mobile = page.split("Takes SMS")
    assert mother.get_absolute_url() in by_email
    assert father.get_absolute_url() in by_mobile
    assert father.get_absolute_url() not in by_email
    assert "covers everybody who has it" in page
