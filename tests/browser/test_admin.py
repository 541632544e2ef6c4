"""The admin in a real browser: under the CSP of production, in light and dark, wide and narrow."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page

from contacts.models import Block, Contact
from messaging.inbox import reports
from messaging.models import Message, Report
from tests.browser.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LISTS = [
    *(f"contacts/{model}" for model in ("contact", "address", "block", "change")),
    *(
        f"messaging/{model}"
        for model in ("message", "sendout", "report", "deliveryevent", "tally", "unlistedcode", "alarm")
    ),
]
# Ways of Django's own widgets that are not ours to mend.
DJANGOS_OWN = {"aria-prohibited-attr"}


@pytest.fixture
def unreadable(anna: Contact) -> Report:
    body = json.dumps([{"event": "unheard-of", "email": anna.email}]).encode()
    report = Report.objects.create(
        provider="sendgrid", body=body, content_type="application/json", next_at=timezone.now()
    )
    reports.apply_pending()
    return report


def enter(open_as: Open, size: str = "wide", scheme: str = "light") -> Page:
    """Somebody of Support, who is on the staff once logged in, at the front page of the admin."""
    page = open_as("Support", size, color_scheme=scheme)
    User.objects.update(is_staff=True)
    page.goto("/admin/")
    return page


def check(page: Page) -> None:
    # Loading style sheets by itself, as axe does by default, is what our CSP forbids.
    found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    assert not [each for each in found if each["id"] not in DJANGOS_OWN], (page.url, found)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.url


@pytest.mark.parametrize(
    ("size", "scheme"), [("wide", "light"), ("wide", "dark"), ("narrow", "light"), ("narrow", "dark")]
)
def test_every_page_is_accessible_and_within_the_policy(
    open_as: Open, anna: Contact, unreadable: Report, size: str, scheme: str
) -> None:
    page = enter(open_as, size, scheme)
    check(page)
    message, block = Message.objects.latest("pk"), Block.objects.latest("pk")
    rows = [
        f"contacts/contact/{anna.pk}/change", f"contacts/block/{block.pk}/change", "contacts/contact/add",
        f"contacts/address/{anna.email_address_id}/change", f"messaging/message/{message.pk}/change",
        f"messaging/report/{unreadable.pk}/change", f"messaging/deliveryevent/{message.events.latest('recorded_at').place}/change",
    ]  # fmt: skip
    for place in [*LISTS, *rows]:
        answer = page.goto(f"/admin/{place}/")
        assert answer is not None
        assert answer.ok, place
        check(page)


def test_support_replays_what_could_not_be_read(open_as: Open, unreadable: Report) -> None:
    page = enter(open_as)
    page.get_by_role("link", name="Could not be read").click()
    page.get_by_role("link", name=f"#{unreadable.pk}").click()
    page.locator(".field-error_shown pre", has_text="unheard-of").wait_for()

    page.get_by_role("button", name="Replay").click()

    page.get_by_text("1 report is read and applied again.").wait_for()
    unreadable.refresh_from_db()
    assert unreadable.tries == 0


def test_support_replays_several_at_once(open_as: Open, unreadable: Report) -> None:
    page = enter(open_as)
    page.goto("/admin/messaging/report/")
    page.get_by_label("Select all objects on this page").check()
    page.get_by_label("Action:").select_option(label="Replay: read and apply again")

    page.get_by_role("button", name="Go").click()

    page.get_by_text("1 report is read and applied again.").wait_for()


def test_support_mends_an_address_and_is_told_what_is_wrong_with_another(open_as: Open, anna: Contact) -> None:
    page = enter(open_as)
    page.get_by_label("Main").get_by_role("link", name="Contacts").click()
    page.get_by_label("Search", exact=True).fill("anna@example.se")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=anna.name, exact=True).click()
    page.get_by_label("Email:").fill("anna@example")
    page.get_by_label("Why:").fill("asked by phone")
    page.get_by_role("button", name="Save", exact=True).click()
    assert "period" in page.locator(".field-email .errorlist").inner_text()

    page.get_by_label("Email:").fill("anna@example.org")
    page.get_by_role("button", name="Save", exact=True).click()

    page.get_by_text("was changed successfully").wait_for()
    change = anna.changes.latest("pk")
    assert (change.old, change.new, change.why) == ("anna@example.se", "anna@example.org", "asked by phone")


def test_the_way_in_and_out_is_the_products(open_as: Open, anna: Contact) -> None:
    page = enter(open_as)
    page.get_by_role("link", name="Back to Engage").click()
    page.wait_for_url("**/contacts/")
    page.goto("/admin/")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login/")
    page.goto("/admin/messaging/report/")

    page.wait_for_url("**/login/?next=/admin/messaging/report/")
