"""Every page and dialog, in light and dark, wide and narrow: axe is content and nothing sticks out."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect
from pytest_django.fixtures import Settings

from contacts.blocks import record
from contacts.models import Contact
from tests.browser.conftest import Open, accessible
from tests.factories import block_of, make_contact, make_many, make_user

pytestmark = pytest.mark.browser

schemes = pytest.mark.parametrize("scheme", ["light", "dark"])
sizes = pytest.mark.parametrize("size", ["wide", "narrow"])


@schemes
@sizes
def test_list_and_search(open_as: Open, scheme: str, size: str) -> None:
    page = open_as(size=size, color_scheme=scheme)
    page.goto("/contacts/")
    accessible(page)  # nobody there yet
    make_contact("Maria-Magdalena Wilhelmina" * 3, "🦊 محمد", email=f"{'long' * 14}@{'sub.' * 20}example.se")
    make_contact("Bo", "Berg", accepts_email=False)

    for address in ("/contacts/", "/contacts/?q=berg", "/contacts/?q=zzzz"):
        page.goto(address)
        accessible(page)


@schemes
@sizes
def test_every_tab(open_as: Open, anna: Contact, scheme: str, size: str) -> None:
    page = open_as("Administrators", size, color_scheme=scheme)

    for tab in ("contacts:card", "messaging:tab", "contacts:history"):
        page.goto(reverse(tab, args=[anna.guid]))
        accessible(page)


@schemes
def test_every_empty_state(open_as: Open, anna: Contact, scheme: str) -> None:
    page = open_as(color_scheme=scheme)
    unreachable, new = make_contact(email=""), make_contact()

    for contact, query in ((unreachable, ""), (new, ""), (anna, "?channel=sms&status=failed&before=1")):
        page.goto(reverse("messaging:tab", args=[contact.guid]) + query)
        expect(page.locator(".empty h2")).to_be_visible()
        accessible(page)


@schemes
@sizes
def test_every_dialog(open_as: Open, anna: Contact, scheme: str, size: str) -> None:
    page = open_as("Administrators", size, color_scheme=scheme)
    page.goto(reverse("messaging:tab", args=[anna.guid]))

    for name in (
        "Bounce details: Black week",
        "Bounce details: On hold",
        "Why is anna@example.se blocked?",
        "Remove block",
    ):
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        accessible(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()


@schemes
def test_the_dialogs_that_say_no(open_as: Open, anna: Contact, scheme: str) -> None:
    page = open_as("Administrators", color_scheme=scheme)
    page.goto(anna.get_absolute_url())
    page.get_by_role("link", name="Remove block").click()
    dialog = page.get_by_role("dialog")

    dialog.get_by_role("button", name="Remove block").click()
    expect(dialog.get_by_role("alert")).to_have_text("Write why you remove the block.")
    accessible(page)

    record.lift(block_of(anna).pk, actor_id=make_user("Administrators", "eva").pk, reason="She called")
    dialog.get_by_label("Why do you remove it?").fill("Me, too")
    dialog.get_by_role("button", name="Remove block").click()
    expect(dialog.get_by_role("alert")).to_contain_text("removed this block already")
    accessible(page)


@schemes
def test_pages_instead_of_dialogs(open_as: Open, anna: Contact, scheme: str) -> None:
    page = open_as("Administrators", "narrow", color_scheme=scheme)
    blocking = block_of(anna)

    for address in (
        reverse("messaging:details", args=[blocking.message_id]),
        reverse("contacts:block", args=[anna.guid, blocking.pk]),
        reverse("contacts:lift", args=[anna.guid, blocking.pk]),
    ):
        page.goto(address)
        accessible(page)


@schemes
def test_log_in_and_lock_out(open_as: Open, scheme: str, settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    page = open_as(group="", size="narrow", color_scheme=scheme)
    page.goto("/login/")
    accessible(page)

    for _ in range(2):
        page.get_by_label("User name").fill("anna")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert").or_(page.get_by_role("heading", name="Too many attempts"))).to_be_visible()
        accessible(page)
    expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()


@schemes
def test_error_pages(open_as: Open, scheme: str) -> None:
    page = open_as(size="narrow", color_scheme=scheme)
    page.goto("/nowhere/")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    accessible(page)

    stranger = open_as(group="", size="narrow", color_scheme=scheme)
    make_user("", "nobody", password="a long password")
    stranger.goto("/contacts/")
    stranger.get_by_label("User name").fill("nobody")
    stranger.get_by_label("Password").fill("a long password")
    stranger.get_by_role("button", name="Log in").click()
    expect(stranger.get_by_role("heading", name="You may not see this")).to_be_visible()
    accessible(stranger)
    stranger.get_by_role("button", name="Log out").click()
    expect(stranger.get_by_role("heading", name="Log in")).to_be_visible()


def test_hit_targets_are_large_enough(open_as: Open, anna: Contact) -> None:
    """24 by 24 CSS pixels (WCAG 2.5.8) for all that is pressed, but for links within a sentence."""
    page = open_as("Administrators", "narrow")
    make_many(anna, 60)
    page.goto(reverse("messaging:tab", args=[anna.guid]))

    small = page.locator("button, select, .button, .icon-button, .tabs a, .places a, .brand").evaluate_all(
        "all => all.map(e => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.width > 1 && (r.width < 24 || r.height < 24))"
        ".map(([e]) => e.outerHTML)"
    )

    assert not small
