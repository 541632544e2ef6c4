"""Brevo, Mailjet, Postmark and SparkPost sign nothing: user and password in the webhook's address prove them."""

import pytest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import basic, post, takes


@pytest.fixture(autouse=True, params=["brevo", "mailjet", "postmark", "sparkpost"])
def slug(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.WEBHOOK_KEYS = {request.param: ["engage:old", "engage:new:with colon", "örjan:lösen"]}
    return str(request.param)


@pytest.mark.parametrize("user_and_password", ["engage:old", "engage:new:with colon", "örjan:lösen"])
def test_user_and_password_in_the_settings_are_taken(slug: str, user_and_password: str) -> None:
    assert takes(slug, post(slug, b"{}", basic(user_and_password)))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("engage:other"),
        basic("other:old"),
        basic("engage:new"),
        basic("engage:"),
        basic(":old"),
        basic("engage"),
        basic(":"),
        basic(""),
        {"Authorization": "Basic"},
        {"Authorization": "Basic å"},
        {"Authorization": "Basic /////w=="},
        {"Authorization": "Bearer engage:old"},
        {"Authorization": "engage:old"},
    ],
)
def test_everything_else_is_refused(slug: str, headers: dict[str, str]) -> None:
    assert not takes(slug, post(slug, b"{}", headers))


def test_a_key_that_is_no_user_and_password_is_none(slug: str, settings: Settings) -> None:
    for keys in ([], [""], [":"], ["engage"], ["engage:"], [":secret"]):
        settings.WEBHOOK_KEYS = {slug: keys}
        assert not any(takes(slug, post(slug, b"{}", basic(key))) for key in [*keys, ":"])
        assert not takes(slug, post(slug, b"{}", {}))
        assert not providers()[slug].is_set_up()
