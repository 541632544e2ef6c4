"""The page Restored, and the strip above send-outs, in a browser, while nothing leaves."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from messaging.delivery import installation
from messaging.models import Message, SendOut
from messaging.sendouts import lifecycle, restored
from tests.browser.conftest import Open, accessible
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.people import make_send_out, run

pytestmark = pytest.mark.browser


@pytest.fixture
def held(transactional_db: None, groups: None) -> SendOut:
    """Held by hand: one under way of which outside more is known, two planned, one of them overdue."""
    for _ in range(40):
        make_contact(email=f"{uuid4()}@there.example")
    under_way, overdue, later = (make_send_out(sender="news@engage.example") for _ in range(3))
    names = ("Winter box is here", "Advent: one recipe a day, and a name that is long enough to wrap", "A letter")
    for each, name in zip((under_way, overdue, later), names, strict=True):
        SendOut.objects.filter(pk=each.pk).update(name=name)
    run(under_way)
    administrator = int(log_in("Administrators").session["_auth_user_id"])
    lifecycle.schedule(overdue.pk, timezone.now() - timedelta(hours=1), administrator)
    lifecycle.schedule(later.pk, timezone.now() + timedelta(days=20), administrator)
    ids = list(Message.objects.filter(send_out=under_way).order_by("pk").values_list("pk", flat=True))
    Message.objects.filter(pk__in=ids[:12]).update(status="delivered", attempts=1, sent_at=timezone.now())
    from messaging.sendouts.totals import recount  # noqa: PLC0415

    recount(under_way.pk)
    restored.advance()
    installation.keep_left({under_way.pk: 30})
    assert restored.hold_by_hand()
    return under_way


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "middle", "narrow"])
def test_all_of_it_is_accessible(open_as: Open, held: SendOut, scheme: str, size: str) -> None:
    page = open_as("Administrators", size, color_scheme=scheme)
    page.goto("/restored/")
    expect(page.get_by_text("at least 18 had left").first).to_be_visible()
    accessible(page)

    page.get_by_role("button", name="Let Engage send again…").click()
    expect(page.get_by_role("heading", name="Let Engage send again?")).to_be_visible()
    accessible(page)


def test_it_is_decided_by_keyboard_alone(open_as: Open, held: SendOut) -> None:
    page = open_as("Administrators")
    page.goto("/restored/")
    ticked = page.locator(f"input[name=choice-{held.pk}]:checked")
    expect(ticked).to_have_value("count")
    ticked.focus()
    page.keyboard.press("ArrowDown")
    expect(ticked).to_have_value("go_on")
    page.get_by_role("button", name="Save, decide later").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#notices")).to_contain_text("Still nothing leaves")
    expect(ticked).to_have_value("go_on")

    page.get_by_role("button", name="Let Engage send again…").press("Enter")
    page.get_by_label("Why the database was restored").fill("Disk fault")
    page.get_by_role("button", name="Let Engage send again").press("Enter")
    expect(page.get_by_role("heading", name="What was decided is being carried out")).to_be_visible()


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_marketers_see_it_wherever_send_outs_are_and_cannot_decide(open_as: Open, held: SendOut, size: str) -> None:
    page = open_as("Marketers", size)
    for where in (
        "/send-outs/",
        held.get_absolute_url(),
        "/send-outs/new/",
        f"{held.get_absolute_url()}messages/waiting/",
    ):
        page.goto(where)
        expect(page.get_by_text("Nothing leaves Engage just now.")).to_be_visible()
        accessible(page)
    page.goto("/restored/")
    expect(page.locator("input[type=radio]:not([disabled])")).to_have_count(0)
    expect(page.get_by_role("button", name="Let Engage send again…")).to_have_count(0)
    accessible(page)
