"""Whatever stands in an address or a form: no page breaks by it, and who is refused reads why."""

import logging
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver
from pytest_django import Settings

from engage.local.embedded import private_log
from engage.logs import without_traces_of_refusals

pytestmark = pytest.mark.django_db

NASTY = {
    "nul": "\0", "nul within": "a\0b", "long": "x" * 5000, "surrogate": "%ED%A0%80", "huge": "9" * 40,
    "negative": "-1", "brackets": "[[[", "percent": "%", "quote": "'\"`;--", "spaces": "\u2028\u200b",
}  # fmt: skip
PARAMETERS = (
    "q", "p", "o", "e", "all", "provider", "state", "status", "channel", "before", "seen", "page", "list", "segment",
    "kind", "reason", "next", "contact", "address", "domain", "country", "label", "cause", "since", "until", "tab",
)  # fmt: skip


def addresses() -> list[str]:
    """Every address that takes nothing but numbers."""
    found = list[str]()

    def walk(patterns: list[URLPattern | URLResolver], before: str) -> None:
        for each in patterns:
            path = before + str(each.pattern)
            if isinstance(each, URLResolver):
                walk(each.url_patterns, path)
            elif "(?P" not in path and not path.endswith("$"):
                for kind in ("<int:", "<path:", "<slug:", "<str:", "<uuid:"):
                    while kind in path:
                        start = path.index(kind)
                        value = "6f1f3c1e-3b1a-4a3e-9a53-000000000000" if kind == "<uuid:" else "99999999999999999999"
                        path = path[:start] + value + path[path.index(">", start) + 1 :]
                found.append("/" + path)

    walk(get_resolver().url_patterns, "")
    return [path for path in found if "<" not in path]


@pytest.fixture
def support() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


@pytest.mark.parametrize("nasty", NASTY)
def test_no_page_breaks_by_what_stands_in_its_address(nasty: str, support: Client) -> None:
    broken = {
        path: code
        for path in addresses()
        if (code := support.get(path, dict.fromkeys(PARAMETERS, NASTY[nasty])).status_code) >= 500 and code != 503
    }
    assert broken == {}


def test_no_page_breaks_by_what_stands_in_its_form(support: Client) -> None:
    fields = ("username", "password", "name", "email", "mobile", "first_name", "text", "why", "action", "next")
    broken = {
        (path, nasty): code
        for path in addresses()
        if "logout" not in path and "webhooks" not in path
        for nasty in ("nul", "long")
        if (code := support.post(path, dict.fromkeys(fields, NASTY[nasty])).status_code) >= 500 and code != 503
    }
    assert broken == {}


ROLES = ("", "Marketers", "Administrators", "Support")


@pytest.mark.parametrize("role", ROLES)
def test_no_page_breaks_for_any_role(role: str) -> None:
    client = Client(raise_request_exception=False)
    if role:
        user = User.objects.create_user(role, password="x", is_staff=role != "Marketers")
        user.groups.set([Group.objects.get(name=role)])
        client.force_login(user)

    broken = {
        (method, path, nasty): answer.status_code
        for path in addresses()
        if "logout" not in path and "webhooks" not in path
        for nasty in ("nul", "huge", "brackets")
        for method in ("get", "post")
        if (answer := getattr(client, method)(path, dict.fromkeys(PARAMETERS, NASTY[nasty]))).status_code >= 500
        and answer.status_code != 503
    }

    assert broken == {}


@pytest.mark.parametrize("limit", ["DATA_UPLOAD_MAX_MEMORY_SIZE", "DATA_UPLOAD_MAX_NUMBER_FIELDS"])
@pytest.mark.parametrize("path", ["/login/", "/send-outs/new/"])
def test_too_much_is_told_in_words(path: str, limit: str, support: Client, settings: Settings) -> None:
    setattr(settings, limit, 10)

    answer = support.post(path, {f"name{number}": "x" for number in range(20)})

    assert answer.status_code == 413
    assert b"This is too much at once" in answer.content


@pytest.mark.parametrize("name", ["x" * 151, "x" * 256, "x" * 100_000, "a\0b"])
def test_a_name_too_long_or_foul_is_no_login(name: str) -> None:
    answer = Client(raise_request_exception=False).post("/login/", {"username": name, "password": "y"})

    assert answer.status_code in (200, 400)


def test_a_nul_is_told_in_words(support: Client) -> None:
    answer = support.get("/admin/messaging/report/?provider=%00")

    assert answer.status_code == 400
    assert b"Your browser sent something that Engage cannot read" in answer.content


def test_a_button_that_is_opened_as_a_page_says_so(support: Client) -> None:
    answer = support.get("/logout/", headers={"Accept": "text/html"})

    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
    assert b"is for a button or a form" in answer.content


def test_a_refusal_leaves_no_stack_trace_in_the_log_and_a_fault_does() -> None:
    error = (PermissionError, PermissionError("x"), None)
    for status, is_there in ((403, False), (404, False), (500, True)):
        record = logging.LogRecord("django.request", logging.WARNING, "", 0, "said", (), error)
        record.status_code = status
        assert without_traces_of_refusals(record)
        assert bool(record.exc_info) is is_there


def test_logs_are_for_their_owner_alone_old_ones_too(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    path = folder / "web.log"
    path.write_text("before\n")
    path.chmod(0o644)

    with private_log(path) as log:
        log.write(b"after\n")

    assert path.read_text() == "before\nafter\n"
    assert [each.stat().st_mode & 0o777 for each in (folder, path)] == [0o700, 0o600]
