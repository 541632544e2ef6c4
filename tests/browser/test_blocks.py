"""The pages on which administrators see, remove, import and export blocks."""

import pytest
from playwright.sync_api import expect

from contacts.models import Block
from messaging.status.order import Kind
from tests.browser.conftest import Open, accessible
from tests.factories import ago, hard_bounce, make_contact, make_message, said

pytestmark = pytest.mark.browser
LIST = "Email,Reason\nnobody@example.org,HardBounce\nno address,\n"


def blocked() -> None:
    for name in ("anna", "bo"):
        make_message(make_contact(email=f"{name}@gone.example"), hard_bounce(ago(days=3)))
    alive = make_contact(email="cia@there.example")
    make_message(alive, hard_bounce(ago(days=3)))
    make_message(alive, said(Kind.OPENED, ago(days=1)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_all_pages_are_accessible(open_as: Open, scheme: str, size: str) -> None:
    blocked()
    page = open_as("Administrators", size, color_scheme=scheme)

    for address in (
        "/blocks/",
        "/blocks/?alive=1",
        "/blocks/remove/?address=gone.example",
        "/blocks/removals/",
        "/blocks/imports/",
    ):
        page.goto(address)
        accessible(page)


def test_blocks_of_a_domain_are_removed_and_put_back(open_as: Open) -> None:
    blocked()
    page = open_as("Administrators")
    page.goto("/blocks/?address=gone.example")

    page.get_by_role("link", name="Remove all these blocks").click()
    expect(page.get_by_role("heading", name="Remove 2 blocks?")).to_be_visible()
    page.get_by_role("textbox", name="Why do you remove them?").fill("Their server was broken")
    page.get_by_role("button", name="Remove 2 blocks").click()
    expect(page.get_by_text("2 blocks removed.")).to_be_visible()
    assert Block.objects.filter(ended_at=None).count() == 1

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Put back")).to_be_visible()
    assert Block.objects.filter(ended_at=None).count() == 3


def test_who_is_blocked_but_alive_is_seen_and_unblocked(open_as: Open) -> None:
    blocked()
    page = open_as("Administrators")
    page.goto("/blocks/")

    page.get_by_role("link", name="Blocked but alive").click()
    expect(page.get_by_role("listitem").filter(has_text="cia@there.example")).to_contain_text("Opened")
    expect(page.get_by_text("anna@gone.example")).to_have_count(0)
    page.get_by_role("link", name="Remove block of cia@there.example").click()
    page.get_by_role("textbox", name="Why do you remove them?").fill("She reads us")
    page.get_by_role("button", name="Remove 1 block").click()

    expect(page.get_by_text("1 block removed.")).to_be_visible()


def test_a_list_is_looked_at_before_it_blocks(open_as: Open) -> None:
    page = open_as("Administrators")
    page.goto("/blocks/imports/")

    page.get_by_label("File").set_input_files({"name": "list.csv", "mimeType": "text/csv", "buffer": LIST.encode()})
    page.get_by_role("button", name="Read the file").click()

    expect(page.get_by_role("row").filter(has_text="no address")).to_be_visible()
    page.get_by_role("button", name="Block 1 address").click()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
    assert Block.objects.get().address.value == "nobody@example.org"
