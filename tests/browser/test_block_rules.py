"""The pages on which administrators set the rules that block, and decide on held blocks."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from contacts.models import Block, Outage
from messaging.models import BlockRule, OutageRule
from messaging.status.order import Kind
from tests.browser.conftest import Open, accessible
from tests.factories import NUMBERS, ago, hard_bounce, make_contact, make_message, said

pytestmark = pytest.mark.browser


def outage() -> Outage:
    """A provider calls six living addresses dead."""
    OutageRule.objects.create(addresses=5, hours=6, share=50, alive_days=30, times=5, rate=2)
    for n in range(6):
        contact = make_contact(email=f"somebody{next(NUMBERS)}@bigmail.example")
        make_message(contact, said(Kind.DELIVERED, ago(days=5)), sent_at=ago(days=5))
        make_message(contact, hard_bounce(ago(minutes=50) + timedelta(minutes=7 * n)))
    return Outage.objects.get()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_both_pages_are_accessible(open_as: Open, scheme: str, size: str) -> None:
    found = outage()
    page = open_as("Administrators", size, color_scheme=scheme)

    page.goto("/block-rules/")
    accessible(page)
    page.goto(f"/block-rules/outages/{found.pk}/")
    accessible(page)


def test_a_rule_is_tried_and_then_saved(open_as: Open) -> None:
    contact = make_contact()
    for days in (2, 1):
        make_message(contact, said(Kind.SOFT_BOUNCE, ago(days=days), reason="mailbox_full"))
    page = open_as("Administrators")
    page.goto("/block-rules/")
    email = page.get_by_role("region", name="Soft bounces of email")

    email.get_by_label("Soft bounces in a row", exact=True).fill("2")
    email.get_by_role("button", name="What would it change?").click()
    expect(email.get_by_role("status")).to_contain_text("Would block 1 address, lift 0.")
    expect(email.get_by_role("status")).to_contain_text(contact.email)
    email.get_by_role("button", name="Save the rule").click()

    expect(page.get_by_text("The rule is saved.")).to_be_visible()
    assert BlockRule.objects.get().bounces == 2


def test_one_click_drops_the_blocks_of_an_outage(open_as: Open) -> None:
    outage()
    page = open_as("Administrators")
    page.goto("/block-rules/")

    page.get_by_role("link", name="Look at the evidence and decide").click()
    expect(page.get_by_role("heading", name="Suspected outage of bigmail.example")).to_be_visible()
    page.get_by_role("button", name="Drop 6 blocks").click()

    expect(page.get_by_text("The blocks of bigmail.example are dropped")).to_be_visible()
    assert not Block.objects.filter(ended_at=None).exists()
