"""The contact list."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from engage import keyset
from tests.factories import hard_bounce, htmx, log_in, make_contact, make_message

LIST = "/contacts/"


@pytest.fixture
def marketer(db: None) -> Client:
    return log_in()


def names(page: str) -> list[str]:
    return re.findall(r'class="name".*?<bdi>(.*?)</bdi>', page)


@pytest.mark.django_db
def test_needs_a_log_in(client: Client) -> None:
    assert client.get(LIST).headers["Location"] == f"{reverse('login')}?next={LIST}"


@pytest.mark.django_db
def test_is_refused_in_clear_words_without_permission() -> None:
    answer = log_in(group="").get(LIST)

    assert answer.status_code == 403
    assert "You may not see this" in answer.content.decode()


def test_front_door_leads_to_it(marketer: Client) -> None:
    assert marketer.get("/").headers["Location"] == LIST


def test_shows_the_newest_first(marketer: Client) -> None:
    for name in ("Anna", "Bo", "Cia"):
        make_contact(name, "X")

    assert names(marketer.get(LIST).content.decode()) == ["Cia X", "Bo X", "Anna X"]


def test_pages_by_keyset_with_a_plain_link(marketer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "SIZE", 2)
    for name in ("Anna", "Bo", "Cia", "Dan", "Eva"):
        make_contact(name, "X")
    seen, page = [], marketer.get(LIST).content.decode()
    while True:
        seen += names(page)
        link = re.search(r'href="(\?before=\d+)"', page)
        if link is None:
            break
        page = marketer.get(LIST + link[1]).content.decode()

    assert seen == ["Eva X", "Dan X", "Cia X", "Bo X", "Anna X"]


@pytest.mark.parametrize("before", ["x", "-1", "", "1e9", "9" * 30, "٣"])
def test_a_cursor_that_is_none_shows_the_first_page(marketer: Client, before: str) -> None:
    make_contact("Anna", "X")

    assert names(marketer.get(LIST, {"before": before}).content.decode()) == ["Anna X"]


def test_search_keeps_the_words_in_field_and_next_page(marketer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "SIZE", 1)
    make_contact("Anna", "A&B")
    make_contact("Anna", "A&B")

    page = marketer.get(LIST, {"q": "a&b"}).content.decode()

    assert 'value="a&amp;b"' in page
    assert "?q=a%26b&amp;before=" in page


def test_htmx_gets_the_results_alone_and_the_next_rows_alone(marketer: Client) -> None:
    make_contact("Anna", "X")

    results = marketer.get(LIST, {"q": "anna"}, headers=htmx("results"))
    rows = marketer.get(LIST, {"q": "anna"}, headers=htmx("more")).content.decode()

    assert "<html" not in results.content.decode()
    assert "1 contact found" in results.content.decode()
    assert {"HX-Request", "HX-Target"} <= set(results.headers["Vary"].split(", "))
    assert rows.lstrip().startswith("<li")
    assert "autofocus" in rows


def test_history_restore_gets_the_whole_page(marketer: Client) -> None:
    page = marketer.get(LIST, headers=htmx() | {"HX-History-Restore-Request": "true"})

    assert "<html" in page.content.decode()


def test_blocked_and_unsubscribed_are_struck_through_in_words(marketer: Client) -> None:
    blocked, opted_out = make_contact("Anna", "X"), make_contact("Bo", "X", accepts_email=False)
    make_message(blocked, hard_bounce())

    page = marketer.get(LIST).content.decode()

    assert re.search(rf'is-blocked"><bdi>{blocked.email}</bdi>.*?Blocked', page, re.DOTALL)
    assert re.search(rf'is-unsubscribed"><bdi>{opted_out.email}</bdi>.*?Unsubscribed', page, re.DOTALL)


def test_tells_nothing_found_from_nobody_there(marketer: Client) -> None:
    nobody = marketer.get(LIST).content.decode()
    make_contact()
    nothing = marketer.get(LIST, {"q": "<zzz>"}).content.decode()

    assert "No contacts yet" in nobody
    assert "No contact matches “&lt;zzz&gt;”" in nothing


def test_costs_the_same_queries_however_many_rows(
    marketer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        make_contact()

    with django_assert_max_num_queries(7):
        marketer.get(LIST)


def test_pages_are_kept_out_of_caches(marketer: Client) -> None:
    assert "no-store" in marketer.get(LIST).headers["Cache-Control"]
