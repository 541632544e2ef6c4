"""What happens on an open card by itself, and when something goes wrong."""

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Page, expect

from contacts.blocks import record
from contacts.models import Contact
from messaging.models import Message
from messaging.status.order import Kind
from tests.browser.conftest import Open
from tests.factories import block_of, hard_bounce, make_contact, make_message, make_user, report, said

pytestmark = pytest.mark.browser


@pytest.fixture
def waiting(open_as: Open) -> Message:
    return make_message(make_contact(email="bo@example.se"), said(Kind.ACCEPTED), subject="Black week")


def open_tab(page: Page, message: Message) -> None:
    assert message.contact
    page.goto(reverse("messaging:tab", args=[message.contact.guid]))


def ask_for_news(page: Page, message: Message) -> None:
    """As the row does by itself every ten seconds."""
    with page.expect_response(f"**/messages/{message.pk}/row/*"):
        page.locator(f"#message-{message.pk}").dispatch_event("refresh")


def test_row_learns_its_news_says_so_and_stops(open_as: Open, waiting: Message) -> None:
    page = open_as()
    open_tab(page, waiting)
    row = page.locator(f"#message-{waiting.pk}")
    row.get_by_role("link", name="Black week", exact=True).focus()

    ask_for_news(page, waiting)
    expect(row).to_contain_text("Unknown")
    report(waiting, hard_bounce())
    ask_for_news(page, waiting)

    expect(row).to_contain_text("Hard bounce")
    expect(row.get_by_role("link", name="Black week", exact=True)).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Black week is now: Hard bounce")
    expect(row).not_to_have_attribute("hx-get", "")
    # The head has learnt of the block, too.
    expect(page.locator("#address-email")).to_contain_text("Blocked")


def test_row_without_news_is_left_alone(open_as: Open, waiting: Message) -> None:
    page = open_as()
    open_tab(page, waiting)
    row = page.locator(f"#message-{waiting.pk}")
    row.evaluate("e => e.classList.add('same')")

    ask_for_news(page, waiting)

    expect(row).to_have_class("message idle same")


def test_focus_comes_back_though_the_row_was_renewed_behind_the_dialog(open_as: Open, waiting: Message) -> None:
    page = open_as()
    open_tab(page, waiting)
    page.get_by_role("link", name="Black week", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    report(waiting, hard_bounce())
    ask_for_news(page, waiting)
    expect(page.locator(f"#message-{waiting.pk}")).to_contain_text("Hard bounce")

    page.keyboard.press("Escape")

    expect(page.get_by_role("link", name="Black week", exact=True)).to_be_focused()


def test_the_later_of_two_administrators_sees_who_was_first(open_as: Open, anna: Contact) -> None:
    page = open_as("Administrators")
    page.goto(anna.get_absolute_url())
    page.get_by_role("link", name="Remove block").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    record.lift(block_of(anna).pk, actor_id=make_user("Administrators", "eva").pk, reason="It works again")

    dialog.get_by_label("Why do you remove it?").fill("Me, too")
    dialog.get_by_role("button", name="Remove block").click()

    expect(dialog).to_contain_text("removed this block already")
    expect(dialog).to_contain_text("eva")
    expect(dialog).to_contain_text("It works again")
    expect(page.locator(".is-blocked")).to_have_count(0)
    dialog.get_by_role("link", name="Back to the card").click()
    expect(dialog).to_be_hidden()


def test_own_words_can_be_copied(open_as: Open, anna: Contact) -> None:
    page = open_as(permissions=["clipboard-read", "clipboard-write"])
    page.goto(reverse("messaging:tab", args=[anna.guid]))
    page.get_by_role("link", name="Bounce details: Black week").click()

    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("550 5.1.1 The email account")


def test_why_leads_to_the_message_within_the_dialog(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(anna.get_absolute_url())
    page.get_by_role("link", name="Why is anna@example.se blocked?").click()

    page.get_by_role("dialog").get_by_role("link", name="what came back for this message").click()

    expect(page.get_by_role("dialog", name="Bounce details Black week")).to_be_visible()
    expect(page.locator("#dialog-title")).to_be_focused()


def test_a_link_opens_in_a_new_tab_where_that_is_asked_for(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(anna.get_absolute_url())

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Change history").click(modifiers=["ControlOrMeta"])

    expect(opened.value).to_have_url(reverse("contacts:history", args=[anna.guid]))
    expect(page).to_have_url(anna.get_absolute_url())


def test_who_was_logged_out_meanwhile_gets_the_log_in_page(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(anna.get_absolute_url())
    Session.objects.all().delete()

    page.get_by_role("link", name="Change history").click()

    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert "next=" in page.url


def test_failures_are_said_in_words(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(anna.get_absolute_url())
    history = page.get_by_role("link", name="Change history")

    page.context.set_offline(True)
    history.click()
    expect(page.get_by_role("alert").filter(has_text="Engage cannot be reached.")).to_be_visible()

    page.context.set_offline(False)
    Contact.objects.filter(pk=anna.pk).delete()
    history.click()
    expect(page.get_by_role("alert").filter(has_text="That did not work.")).to_be_visible()


def test_search_on_a_card_leads_to_the_list(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(anna.get_absolute_url())
    page.get_by_role("searchbox").fill("lindq")
    page.keyboard.press("Enter")

    expect(page).to_have_url("/contacts/?q=lindq")
    expect(page.get_by_role("link", name="Anna Lindqvist")).to_be_visible()
