"""A form that comes too late is not sent, and what was typed is not lost."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from messaging.models import SendOut
from tests.factories import htmx, make_contact, make_user

pytestmark = pytest.mark.django_db

NEW = "/send-outs/new/"
HERE = {"Origin": "http://testserver"}
TYPED = {"name": 'Spring & "Summer" <b>', "channel": "email"}


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def browser(user: User) -> Client:
    """As a browser is: tokens are asked for."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="engage.permissions.Backend")
    client.get(NEW)
    return client


def sent_once_more(client: Client, page: str) -> Any:
    fields = dict(re.findall(r'<textarea name="([^"]+)" hidden>&#10;(.*?)</textarea>', page, re.DOTALL))
    typed = {
        name: value.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">") for name, value in fields.items()
    }
    typed = {name: value.replace("&amp;", "&") for name, value in typed.items()}
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    return client.post(NEW, {**typed, "csrfmiddlewaretoken": token}, headers=HERE)


def test_a_form_with_an_old_token_comes_back_with_what_was_typed(browser: Client) -> None:
    answer = browser.post(NEW, {**TYPED, "csrfmiddlewaretoken": "0" * 64}, headers=HERE)

    assert answer.status_code == 403
    assert "The page was open for too long" in answer.content.decode()
    assert not SendOut.objects.exists()
    assert sent_once_more(browser, answer.content.decode()).status_code == 302
    assert SendOut.objects.get().name == TYPED["name"]


def test_a_form_of_somebody_who_is_logged_out_comes_back_too(browser: Client, user: User) -> None:
    browser.logout()
    browser.get("/login/")
    token = browser.cookies["csrftoken"].value

    answer = browser.post(NEW, {**TYPED, "csrfmiddlewaretoken": token}, headers=HERE)

    assert answer.status_code == 403
    assert "You have been logged out" in answer.content.decode()
    browser.force_login(user, backend="engage.permissions.Backend")
    assert sent_once_more(browser, answer.content.decode()).status_code == 302


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_what_another_site_made_up_is_not_offered(browser: Client, origin: dict[str, str]) -> None:
    answer = browser.post(NEW, {**TYPED, "csrfmiddlewaretoken": "0" * 64}, headers=origin)

    assert answer.status_code == 403
    assert "Spring" not in answer.content.decode()


@pytest.mark.parametrize("url", ["/login/", "/admin/password_change/"])
def test_no_password_comes_back(browser: Client, url: str) -> None:
    typed = {"username": "anna", "password": "s3cret", "new_password1": "s3cret", "csrfmiddlewaretoken": "0" * 64}

    answer = browser.post(url, typed, headers=HERE)

    assert answer.status_code == 403
    assert "s3cret" not in answer.content.decode()


def test_a_dialog_gets_words_and_a_token_that_is_good(browser: Client) -> None:
    anna = make_contact()
    browser.force_login(make_user("Administrators"), backend="engage.permissions.Backend")
    url = f"/contacts/{anna.guid}/labels/"

    answer = browser.post(url, {"new": "VIP", "csrfmiddlewaretoken": "0" * 64}, headers=htmx("dialog-content") | HERE)

    assert (answer.status_code, answer.headers["X-Keeps-Form"]) == (403, "yes")
    assert "The page was open for too long" in answer.content.decode()
    (token,) = re.findall(r'data-token="([^"]+)"', answer.content.decode())
    again = browser.post(url, {"new": "VIP", "csrfmiddlewaretoken": token}, headers=htmx("dialog-content") | HERE)
    assert (again.status_code, list(anna.labels.values_list("name", flat=True))) == (200, ["VIP"])


def test_who_only_looks_is_sent_to_log_in(browser: Client) -> None:
    browser.logout()

    answer = browser.get(NEW)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/send-outs/new/")
