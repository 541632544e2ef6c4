"""46elks, Infobip and LINK Mobility sign nothing: user and password in the callback's address prove them."""

import pytest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import basic, post, takes

SLUGS = ["elks", "infobip", "link_mobility"]


@pytest.fixture(params=SLUGS)
def slug(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.WEBHOOK_KEYS = {request.param: ["engage:old", "engage:new"]}
    return str(request.param)


@pytest.mark.parametrize(
    ("headers", "is_good"),
    [
        (basic("engage:old"), True),
        (basic("engage:new"), True),
        (basic("engage:other"), False),
        (basic("engage:"), False),
        (basic(""), False),
        ({}, False),
        ({"Authorization": "Basic ???"}, False),
        ({"Authorization": "Bearer engage:old"}, False),
    ],
)
def test_only_user_and_password_in_the_settings_are_taken(slug: str, headers: dict[str, str], is_good: bool) -> None:
    assert takes(slug, post(slug, b"{}", headers)) == is_good


def test_without_a_key_everything_is_refused(slug: str, settings: Settings) -> None:
    for keys in ([], [":"], ["engage"], ["engage:"]):
        settings.WEBHOOK_KEYS = {slug: keys}
        assert not takes(slug, post(slug, b"{}", basic(":")))
    settings.WEBHOOK_KEYS = {}
    assert not providers()[slug].is_set_up()
