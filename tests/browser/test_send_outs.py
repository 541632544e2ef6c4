"""A marketer writes a send-out, starts it, and sees what becomes of it."""

import pytest
from playwright.sync_api import expect

from messaging.models import Message, SendOut
from messaging.sendouts import making
from messaging.sendouts.totals import fold
from tests.browser.conftest import Open, accessible
from tests.factories import make_contact

pytestmark = pytest.mark.browser


def draft() -> SendOut:
    from tests.messaging.sendouts.people import make_send_out  # noqa: PLC0415 -- it makes models at once

    return make_send_out(sender="news@shop.example", sender_name="Shop")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_all_pages_are_accessible(open_as: Open, scheme: str, size: str) -> None:
    make_contact(email="anna@example.org")
    made = draft()
    page = open_as("Marketers", size, color_scheme=scheme)

    for step in (
        "",
        "new/",
        *(f"{made.pk}/{name}/" for name in ("audience", "content", "preview", "control-group", "start")),
    ):
        page.goto(f"/send-outs/{step}")
        accessible(page)
    page.goto(f"/send-outs/{made.pk}/start/")
    page.get_by_role("button", name="Start").click()
    accessible(page)
    page.goto(f"/send-outs/{made.pk}/messages/waiting/")
    accessible(page)


def test_from_the_name_to_the_numbers(open_as: Open) -> None:
    make_contact(first_name="Anna", email="anna@example.org")
    page = open_as("Marketers")
    page.goto("/send-outs/")

    page.get_by_role("link", name="New send-out").click()
    page.get_by_label("Name", exact=True).fill("Autumn letter")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="How many are these?").click()
    expect(page.locator("#count")).to_contain_text("1 of 1 get it.")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Sender's name").fill("Shop")
    page.get_by_label("Sender's email address").fill("news@shop.example")
    page.get_by_label("Subject").fill("Hi [[firstName,you]]")
    page.get_by_label("HTML").fill("<p>Hello <b>[[firstName]]</b></p>")
    page.get_by_role("button", name="Save and see it as a contact").click()
    expect(page.get_by_text("Hi Anna")).to_be_visible()
    expect(page.frame_locator(".mail-frame").first.get_by_text("Hello Anna")).to_be_visible()
    page.get_by_role("link", name="Autumn letter").click()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("1 contact gets it.")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Started.")).to_be_visible()

    making.make_rows(SendOut.objects.get().pk)
    fold()
    expect(page.get_by_role("region", name="Sending")).to_contain_text("0 of 1 handed over", timeout=10_000)
    assert Message.objects.get().status == "waiting"
