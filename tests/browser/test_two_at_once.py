"""Sessions that change meanwhile, buttons that are pressed twice, and coming back to a long list."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from contacts.models import Contact
from messaging.models import SendOut
from tests.browser.conftest import Open, accessible
from tests.factories import make_contact, make_many

pytestmark = pytest.mark.browser


def change_token(page: Page) -> None:
    """As logging in in another tab does."""
    (cookie,) = [each for each in page.context.cookies() if each.get("name") == "csrftoken"]
    place = {"domain": cookie.get("domain"), "path": "/"}
    page.context.add_cookies([{"name": "csrftoken", "value": "A" * 32, **place}])  # type: ignore[typeddict-item]


def open_labels(page: Page, anna: Contact) -> None:
    page.goto(anna.get_absolute_url())
    page.get_by_role("link", name="labels").click()
    page.get_by_label("New label").fill("VIP")


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_a_dialog_says_that_it_was_open_for_too_long_and_keeps_what_was_typed(open_as: Open, size: str) -> None:
    anna = make_contact()
    page = open_as("Administrators", size)
    open_labels(page, anna)
    change_token(page)

    page.get_by_role("button", name="Save").click()

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert").first).to_contain_text("The page was open for too long.")
    expect(dialog.locator(".kept-form")).to_be_focused()
    expect(dialog.get_by_label("New label")).to_have_value("VIP")
    expect(page.locator("#trouble")).to_be_empty()
    accessible(page)
    page.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert list(anna.labels.values_list("name", flat=True)) == ["VIP"]


def test_a_dialog_says_that_one_is_logged_out_and_keeps_what_was_typed(open_as: Open) -> None:
    page = open_as("Administrators")
    open_labels(page, make_contact())
    page.context.clear_cookies(name="sessionid")

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("dialog").get_by_role("alert").first).to_contain_text("You have been logged out.")
    expect(page.get_by_label("New label")).to_have_value("VIP")
    expect(page.get_by_role("link", name="Log in in another tab")).to_be_visible()


def test_a_refusal_is_said_in_the_dialog(open_as: Open) -> None:
    page = open_as("Administrators")
    open_labels(page, make_contact())
    page.route("**/labels/", lambda route: route.fulfill(status=500))

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("dialog").locator("#dialog-trouble")).to_contain_text("That did not work.")


def test_a_page_that_was_open_for_too_long_sends_what_was_typed_once_more(open_as: Open) -> None:
    page = open_as("Marketers")
    page.goto("/send-outs/new/")
    page.get_by_label("Name", exact=True).fill("Autumn letter")
    change_token(page)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="The page was open for too long")).to_be_visible()
    accessible(page)

    page.get_by_role("button", name="Send it once more").click()

    expect(page.get_by_role("button", name="How many are these?")).to_be_visible()
    assert SendOut.objects.get().name == "Autumn letter"


def test_two_clicks_make_one_draft(open_as: Open) -> None:
    page = open_as("Marketers")
    page.goto("/send-outs/new/")
    page.get_by_label("Name", exact=True).fill("Autumn letter")

    page.get_by_role("button", name="Go on").dblclick(delay=40)

    expect(page.get_by_role("button", name="How many are these?")).to_be_visible()
    assert SendOut.objects.count() == 1


@pytest.mark.parametrize("place", ["contacts", "messages"])
def test_back_comes_to_the_rows_that_were_loaded_and_to_the_place(open_as: Open, place: str) -> None:
    anna = make_contact()
    if place == "contacts":
        for number in range(120):
            make_contact(f"Person {number}")
    else:
        make_many(anna, 120)
    page = open_as("Marketers")
    page.goto("/contacts/" if place == "contacts" else reverse("messaging:tab", args=[anna.guid]))
    rows = page.locator(".rows > li:not(.more)")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Load more").click()
    expect(rows).to_have_count(100)
    rows.nth(80).scroll_into_view_if_needed()
    before = page.evaluate("scrollY")

    if place == "contacts":
        rows.nth(80).get_by_role("link").first.click()
        page.get_by_role("heading", name="About").wait_for()
    else:
        page.goto("/contacts/")
    page.go_back()

    expect(rows).to_have_count(100)
    page.wait_for_function("before => Math.abs(scrollY - before) < 50", arg=before)
    page.get_by_role("link", name="Load more").click()
    expect(rows).to_have_count(120 if place == "messages" else 121)
    page.reload()
    expect(rows).to_have_count(120 if place == "messages" else 121)
