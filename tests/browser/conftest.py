"""A real browser in front of a live server, with the CSP of production: a breach of it, or an error, fails the test."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from contacts.models import Channel, Contact
from messaging.status.order import EMAIL_STATUSES, SMS_STATUSES, Kind, Status
from tests import chromium
from tests.factories import ago, hard_bounce, log_in, make_contact, make_message, said

POLICY = "Content Security Policy"
SIZES = {"wide": (1440, 900), "middle": (768, 1024), "narrow": (390, 844)}

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium here; name one: CHROMIUM=/path/to/chromium")
    calm = ["--disable-background-networking"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in this thread, and Django takes that for asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=path, args=calm)
        yield browser
        browser.close()


@pytest.fixture
def open_as(browser: Browser, live_server: LiveServer, groups: None) -> Iterator[Open]:
    """Opens a window in which somebody of the group is logged in; `options` are those of a Playwright context."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_as(group: str = "Marketers", size: str = "wide", **options: Any) -> Page:
        width, height = SIZES[size]
        viewport: Any = {"width": width, "height": height}
        context = browser.new_context(base_url=live_server.url, viewport=viewport, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if POLICY in said.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if group:
            cookie = log_in(group).cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert not complaints


def accessible(page: Page) -> None:
    """axe finds nothing, and nothing sticks out to the side."""
    # Half-way through a fade, colours are not those that people read.
    page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    assert not found.response["violations"], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.fixture
def anna(open_as: Open) -> Contact:
    """A contact with a message in every status of both channels, and a blocked email that is unsubscribed, too."""
    anna = make_contact(email="anna@example.se", mobile="+46701234567", country="SE", language="sv")
    Contact.objects.update(email_consent_at=ago(days=100))
    for status in SMS_STATUSES:
        make_message(anna, channel=Channel.SMS, status=status, sent_at=ago(days=9), reason="network", code="30003")
    for status in EMAIL_STATUSES:
        make_message(anna, status=status, sent_at=ago(days=8), reason="mailbox_full", code="452 4.2.2")
    deferral = said(Kind.DEFERRED, ago(hours=40), reason="greylisted", reply_code="451", status_code="4.7.1")
    make_message(anna, deferral, sent_at=ago(hours=41), subject="On hold")
    bounce, late = hard_bounce(ago(minutes=50)), said(Kind.DEFERRED, ago(minutes=55), reason="greylisted")
    complaint = said(Kind.COMPLAINED, ago(minutes=40), reason="complaint")
    make_message(anna, said(Kind.ACCEPTED, ago(minutes=58)), bounce, late, complaint, subject="Black week")
    make_message(anna, said(Kind.ACCEPTED), subject="Order confirmed", status=Status.UNKNOWN)
    return anna
