"""The page Providers in a browser: it keeps itself up to date without getting in anybody's way."""

from datetime import timedelta
from itertools import cycle

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from messaging.inbox.hourly_counts import hour_of
from messaging.incoming.listeners import listeners_of
from messaging.incoming.mailboxes import mailboxes_of
from messaging.models import Alarm, Tally, UnlistedCode
from messaging.monitoring import health
from tests.browser.conftest import Open, accessible

pytestmark = pytest.mark.browser


@pytest.fixture
def busy(transactional_db: None, live_server: LiveServer, settings: Settings) -> None:
    """SendGrid reports by the hour, with an alarm and all there is to show; Twilio has been quiet."""
    settings.PUBLIC_URL = live_server.url
    settings.WEBHOOK_KEYS = {**settings.WEBHOOK_KEYS, "link_mobility": ["user:password"]}
    settings.BOUNCE_DOMAIN = "bounces.shop.example"
    settings.BOUNCE_LISTENERS = listeners_of(["lmtp://127.0.0.1:8024"])
    settings.IMAP_MAILBOXES = mailboxes_of(["imaps://engage:s3cret@mail.shop.example/Bounces"])
    health.beat_heartbeat()
    health.worker_heartbeat()
    now = timezone.now()
    loads = zip(range(48), cycle((1200, 900, 2400, 60, 0, 310)), strict=False)
    Tally.objects.bulk_create(
        Tally(
            provider="sendgrid", hour=hour_of(now - timedelta(hours=hours)), reports=load, events=load * 4,
            last_at=now - timedelta(hours=hours, minutes=2), refused=40 if hours == 1 else 0, unreadable=hours == 3,
            unmatched=2, set_aside=hours == 30,
        )
        for hours, load in loads
    )  # fmt: skip
    at = now - timedelta(days=3)
    Tally.objects.create(provider="twilio", hour=hour_of(at), reports=8, events=8, last_at=at)
    Tally.objects.create(provider="postmark", hour=hour_of(now), refused=12, refused_at=now)
    UnlistedCode.objects.create(
        provider="sendgrid", space="codes", code="39999", count=3, report_id=1, first_at=at, last_at=now
    )
    Alarm.objects.create(provider="sendgrid", kind="refused", started_at=now - timedelta(minutes=20))


def ask_for_news(page: Page) -> None:
    """As the page does by itself every half minute."""
    # htmx listens a moment after it has put the new element in; what is said before that is not heard.
    # Asked from here: our CSP forbids the eval by which Playwright waits for a function.
    for _ in range(200):
        if page.evaluate("document.getElementById('pulse')?.['htmx-internal-data']?.listenerInfos?.length > 0"):
            break
        page.wait_for_timeout(25)
    with page.expect_response("**/providers/?seen=*"):
        page.locator("#pulse").dispatch_event("refresh")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "middle", "narrow"])
def test_all_of_it_is_accessible(open_as: Open, busy: None, scheme: str, size: str) -> None:
    page = open_as("Administrators", size, color_scheme=scheme)
    page.goto("/providers/")
    accessible(page)

    page.locator("#live-sendgrid summary").click()
    page.get_by_role("button", name="Test the address").click()
    expect(page.locator("#test-sendgrid")).to_contain_text("refused, as it must be")
    accessible(page)


def test_nothing_set_up_is_said(open_as: Open, settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}
    page = open_as("Administrators", "narrow")
    page.goto("/providers/")

    expect(page.get_by_role("heading", name="No provider is set up")).to_be_visible()
    accessible(page)


def test_news_come_in_by_themselves_and_alarms_are_read_out(open_as: Open, busy: None) -> None:
    page = open_as("Administrators")
    page.goto("/providers/")
    live = page.locator("#live-twilio")
    expect(live).to_contain_text("no report")
    page.locator("#alarms").evaluate("e => e.classList.add('same')")

    Tally.objects.create(provider="twilio", hour=hour_of(timezone.now()), reports=77, last_at=timezone.now())
    ask_for_news(page)
    expect(live).to_contain_text("at most 77 an hour")
    expect(page.locator("#state-twilio")).to_have_text("Reports come in")

    Alarm.objects.create(provider="twilio", kind="silent", started_at=timezone.now())
    ask_for_news(page)
    # The region that is read out is the same; only what stands in it is new.
    expect(page.locator("#alarms.same")).to_contain_text("Twilio normally reports at this time")
    expect(page.locator("#state-twilio")).to_have_text("Silent")
    Alarm.objects.all().delete()
    ask_for_news(page)
    expect(page.locator("#alarms")).to_have_text("")


def test_what_somebody_is_in_or_has_opened_stays(open_as: Open, busy: None) -> None:
    page = open_as("Administrators")
    page.goto("/providers/")
    summary = page.locator("#live-sendgrid summary")
    summary.click()
    copy = page.locator("#provider-twilio").get_by_role("button", name="Copy")
    copy.focus()

    Tally.objects.create(provider="twilio", hour=hour_of(timezone.now()), reports=77, last_at=timezone.now())
    Tally.objects.filter(provider="sendgrid").update(reports=5)
    ask_for_news(page)

    expect(page.locator("#live-twilio")).to_contain_text("at most 77 an hour")
    expect(copy).to_be_focused()
    expect(page.locator("#live-sendgrid details")).to_have_attribute("open", "")
    expect(page.locator("#live-sendgrid")).to_contain_text("at most 2,400 an hour")
    summary.click()
    ask_for_news(page)
    expect(summary).to_be_focused()
    page.locator("#provider-twilio").get_by_role("button", name="Copy").focus()
    ask_for_news(page)
    expect(page.locator("#live-sendgrid")).to_contain_text("at most 5 an hour")


def test_the_address_can_be_copied(open_as: Open, busy: None, live_server: LiveServer) -> None:
    page = open_as("Administrators", permissions=["clipboard-read", "clipboard-write"])
    page.goto("/providers/")
    provider = page.locator("#provider-sendgrid")

    provider.get_by_role("button", name="Copy").click()

    expect(provider.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{live_server.url}/webhooks/sendgrid/"


def test_a_test_report_without_javascript(open_as: Open, busy: None) -> None:
    page = open_as("Administrators", java_script_enabled=False)
    page.goto("/providers/")
    provider = page.locator("#provider-twilio")
    expect(provider.locator("code#url-twilio")).to_be_visible()
    expect(provider.get_by_role("button", name="Copy")).to_have_count(0)

    provider.get_by_role("button", name="Send me a test report").click()

    expect(page.locator("#test-twilio")).to_contain_text("its signature was taken")


def test_everything_that_is_pressed_is_large_enough(open_as: Open, busy: None) -> None:
    page = open_as("Administrators", "narrow")
    page.goto("/providers/")

    small = page.locator("main button, main summary, .places a").evaluate_all(
        "all => all.map(e => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.width > 1 && (r.width < 24 || r.height < 24))"
        ".map(([e]) => e.outerHTML)"
    )

    assert not small
