"""Everything that matters works without JavaScript."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from contacts.models import Contact
from tests.browser.conftest import Open
from tests.factories import make_contact, make_many

pytestmark = pytest.mark.browser


@pytest.fixture
def page(open_as: Open) -> Page:
    return open_as("Administrators", java_script_enabled=False)


def test_from_the_search_to_the_card_and_its_tabs(page: Page, anna: Contact) -> None:
    page.goto("/contacts/")
    page.get_by_role("searchbox").fill("070 123")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Anna Lindqvist").click()
    expect(page.get_by_role("heading", name="About")).to_be_visible()

    tabs = page.get_by_role("navigation", name="Contact card")
    tabs.get_by_role("link", name="Messages").click()
    expect(page.locator(".message").first).to_be_visible()
    tabs.get_by_role("link", name="Change history").click()
    expect(page.locator(".change").first).to_be_visible()


def test_filter_and_next_page_and_details(page: Page, anna: Contact) -> None:
    make_many(anna, 60)
    page.goto(reverse("messaging:tab", args=[anna.guid]))
    page.get_by_role("link", name="Load more").click()
    expect(page.get_by_role("link", name="Back to the newest")).to_be_visible()

    page.get_by_label("Status").select_option("hard_bounce")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".message")).to_have_count(3)
    page.get_by_role("link", name="Bounce details: Black week").click()

    expect(page.get_by_role("heading", name="Bounce details Black week")).to_be_visible()
    expect(page.get_by_text("does not exist.").first).to_be_visible()


def test_why_and_remove_block(page: Page, anna: Contact) -> None:
    page.goto(anna.get_absolute_url())
    page.get_by_role("link", name="Why is anna@example.se blocked?").click()
    expect(page.get_by_text("One hard bounce blocks an address")).to_be_visible()
    page.get_by_role("link", name="Anna Lindqvist").first.click()

    page.get_by_role("link", name="Remove block").click()
    page.get_by_role("button", name="Remove block").click()
    expect(page.get_by_role("alert").first).to_have_text("Write why you remove the block.")
    page.get_by_label("Why do you remove it?").fill("She called")
    page.get_by_role("button", name="Remove block").click()

    expect(page.get_by_role("status").filter(has_text="Block removed")).to_be_visible()
    expect(page.locator(".is-blocked")).to_have_count(0)
    page.get_by_role("link", name="Change history").click()
    expect(page.locator(".change").first).to_contain_text("She called")


def test_contacts_page_by_page(page: Page) -> None:
    for number in range(51):
        make_contact("Person", str(number))
    page.goto("/contacts/")
    expect(page.locator(".contact")).to_have_count(50)

    page.get_by_role("link", name="Load more").click()

    expect(page.locator(".contact .name")).to_have_text(["Person 0"])
