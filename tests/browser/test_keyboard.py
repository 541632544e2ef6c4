"""The way of a marketer and of an administrator, with the keyboard alone."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from contacts.models import Contact
from tests.browser.conftest import Open
from tests.factories import make_contact, make_many

pytestmark = pytest.mark.browser


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what has that name."""
    wanted = page.get_by_role("link", name=name).or_(page.get_by_role("button", name=name)).first
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"Tab never came to {name!r}")


def test_slash_leads_to_the_search_which_finds_while_one_types(open_as: Open) -> None:
    make_contact("Bo", "Berg")
    make_contact("Cia", "Dahl")
    page = open_as()
    page.goto("/contacts/")

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("berg")
    expect(page.locator(".contact .name")).to_have_text(["Bo Berg"])
    expect(page).to_have_url("/contacts/?q=berg")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("1 contact found")

    tab_to(page, "Bo Berg")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bo Berg")


def test_tabs_keep_the_focus_and_the_back_button_works(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(anna.get_absolute_url())

    tab_to(page, "Messages")
    page.keyboard.press("Enter")
    messages = page.get_by_role("navigation", name="Contact card").get_by_role("link", name="Messages")
    expect(messages).to_have_attribute("aria-current", "page")
    expect(messages).to_be_focused()
    expect(page).to_have_url(reverse("messaging:tab", args=[anna.guid]))
    expect(page).to_have_title("Messages · Anna Lindqvist · Engage")

    tab_to(page, "Change history")
    page.keyboard.press("Enter")
    expect(page).to_have_url(reverse("contacts:history", args=[anna.guid]))
    page.go_back()
    expect(page.locator("#message-1, .message").first).to_be_visible()
    expect(page).to_have_title("Messages · Anna Lindqvist · Engage")
    page.go_back()
    expect(page.get_by_role("heading", name="About")).to_be_visible()
    page.go_forward()
    expect(page.locator(".message").first).to_be_visible()
    assert page.locator("dialog").count() == 1


def test_dialog_takes_the_focus_and_gives_it_back(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(reverse("messaging:tab", args=[anna.guid]))

    tab_to(page, "Bounce details: Black week")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Bounce details Black week")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("e => e.contains(document.activeElement)")
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Bounce details: Black week")).to_be_focused()


def test_exact_time_shows_on_focus(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(reverse("messaging:tab", args=[anna.guid]))
    time = page.locator(".moment").first
    expect(time.locator(".exact")).to_have_css("opacity", "0")

    time.focus()

    expect(time.locator(".exact")).to_have_css("opacity", "1")
    expect(time.locator(".ago")).to_have_css("opacity", "0")


def test_load_more_moves_the_focus_to_the_first_new_row(open_as: Open) -> None:
    contact = make_contact()
    messages = make_many(contact, 60)
    page = open_as()
    page.goto(reverse("messaging:tab", args=[contact.guid]))
    page.get_by_role("link", name="Load more").focus()

    page.keyboard.press("Enter")

    expect(page.locator(".message")).to_have_count(60)
    expect(page.locator(f"#open-{messages[9].pk}")).to_be_focused()
    expect(page.get_by_role("link", name="Load more")).to_have_count(0)


def test_filters_stand_in_the_url_and_keep_the_focus(open_as: Open, anna: Contact) -> None:
    page = open_as()
    page.goto(reverse("messaging:tab", args=[anna.guid]))

    page.get_by_role("radio", name="All").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(reverse("messaging:tab", args=[anna.guid]) + "?channel=sms")
    expect(page.get_by_role("radio", name="SMS")).to_be_focused()
    page.get_by_label("Status").select_option("failed")
    expect(page.locator(".message")).to_have_count(1)
    expect(page).to_have_url(reverse("messaging:tab", args=[anna.guid]) + "?channel=sms&status=failed")
    expect(page.locator("#announcer")).to_have_text("1 message")

    page.get_by_role("link", name="Show all").click()
    expect(page).to_have_url(reverse("messaging:tab", args=[anna.guid]))
    page.go_back()
    expect(page.locator(".message")).to_have_count(1)
    expect(page.get_by_label("Status")).to_have_value("failed")


def test_administrator_removes_a_block(open_as: Open, anna: Contact) -> None:
    page = open_as("Administrators")
    page.goto(reverse("contacts:history", args=[anna.guid]))

    tab_to(page, "Remove block")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Remove block anna@example.se")
    reason = dialog.get_by_label("Why do you remove it?")
    expect(reason).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Write why you remove the block.")
    expect(reason).to_be_focused()
    page.keyboard.type("She called: it works")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(dialog).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text="Block removed")).to_be_visible()
    expect(page.locator("#address-email")).to_be_focused()
    expect(page.locator(".is-blocked")).to_have_count(0)
    expect(page.locator(".change").first).to_contain_text("She called: it works")


def test_cancel_closes_and_changes_nothing(open_as: Open, anna: Contact) -> None:
    page = open_as("Administrators")
    page.goto(anna.get_absolute_url())
    page.get_by_role("link", name="Remove block").click()

    page.get_by_role("dialog").get_by_role("link", name="Cancel").click()

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("link", name="Remove block")).to_be_focused()
    expect(page.locator(".is-blocked")).to_have_count(1)


def test_skip_link_comes_first(open_as: Open) -> None:
    page = open_as()
    page.goto("/contacts/")
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
