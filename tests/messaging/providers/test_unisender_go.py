"""Unisender Go: MD5 of the body with the API key in the place of `auth` ("Callback format"). No time is signed."""

import json
from hashlib import md5

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.registry import providers
from tests.messaging.providers.asking import KEY, NEW_KEY, OTHER_KEY, post, takes

TEXT = '{"auth":"%s","events_by_user":[{"user_id":456,"events":[{"event_name":"test"}]}],"note":"något \\u00e4"}'


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"unisender_go": [KEY, NEW_KEY]}


def asked(auth: str, text: str = TEXT) -> HttpRequest:
    return post("unisender_go", (text % auth).encode(), {})


def auth_by(key: str) -> str:
    return md5((TEXT % key).encode()).hexdigest()


def test_only_what_a_key_of_ours_signed_is_taken() -> None:
    assert takes("unisender_go", asked(auth_by(KEY)))
    assert takes("unisender_go", asked(auth_by(NEW_KEY)))
    for request in (
        asked(auth_by(OTHER_KEY)),
        asked(auth_by("")),
        asked(""),
        asked("\\u0061"),
        asked("\\ud800"),
        asked(auth_by(KEY), TEXT + " "),
        asked(auth_by(KEY), TEXT.replace("456", "457")),
    ):
        assert not takes("unisender_go", request)


@pytest.mark.parametrize("said", [{}, [], None, {"auth": None}, {"auth": 7}, {"auth": ["x"]}, {"events_by_user": []}])
def test_what_is_not_signed_is_refused(said: object) -> None:
    assert not takes("unisender_go", post("unisender_go", json.dumps(said).encode(), {}))


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert not takes("unisender_go", post("unisender_go", body, {}))


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    for keys in ({}, {"unisender_go": [""]}):
        settings.WEBHOOK_KEYS = keys
        assert not takes("unisender_go", asked(auth_by("")))
        assert not providers()["unisender_go"].is_set_up()
