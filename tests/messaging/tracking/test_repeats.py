"""What was noticed lately is not kept again; neither one mail nor one host fills the inbox."""

from datetime import UTC, datetime, timedelta

import pytest

from messaging.tracking.repeats import REMEMBERED, Repeats, network_of

NOW = datetime(2026, 11, 2, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_fact_is_news_once_an_hour() -> None:
    repeats = Repeats()

    assert [repeats.is_news(1, "open", "", NOW) for _ in range(30)].count(True) == 1
    assert repeats.is_news(1, "open apple", "", NOW)
    assert repeats.is_news(2, "open", "", NOW)
    assert repeats.is_news(1, "open", "", NOW + HOUR)


def test_a_message_has_so_many_notes_a_day() -> None:
    repeats = Repeats(most_a_day=5)

    assert [repeats.is_news(1, f"click {n}", "", NOW + n * HOUR / 10) for n in range(50)].count(True) == 5
    assert repeats.is_news(2, "click 0", "", NOW)
    assert repeats.is_news(1, "click 0", "", NOW + 24 * HOUR)


def test_a_network_has_so_many_a_minute_whichever_messages_it_asks_for() -> None:
    repeats = Repeats(most_a_minute=5)

    assert [repeats.is_news(n, "open", "192.0.2.0/24", NOW) for n in range(50)].count(True) == 5
    assert repeats.is_news(50, "open", "198.51.100.0/24", NOW)
    assert repeats.is_news(51, "open", "192.0.2.0/24", NOW + timedelta(minutes=1))


def test_what_could_not_be_kept_is_news_again() -> None:
    repeats = Repeats()
    repeats.is_news(1, "open", "", NOW)

    repeats.forget(1, "open")

    assert repeats.is_news(1, "open", "", NOW)


def test_only_so_many_messages_are_known_at_once() -> None:
    repeats = Repeats()
    for number in range(REMEMBERED + 10):
        repeats.is_news(number, "open", "", NOW)

    assert not repeats.is_news(REMEMBERED, "open", "", NOW)
    assert repeats.is_news(0, "open", "", NOW)


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("93.184.216.34", "", "93.184.216.0/24"),
        ("2606:2800:220:1:248:1893:25c8:1946", "", "2606:2800:220::/56"),
        ("93.184.216.34", "8.8.8.8", "93.184.216.0/24"),  # whoever asks directly can say what they like
        ("127.0.0.1", "8.8.8.8, 93.184.216.34", "93.184.216.0/24"),
        ("", "93.184.216.34", "93.184.216.0/24"),
        ("10.1.2.3", "", ""),
        ("127.0.0.1", "unknown", ""),
        ("no address", "93.184.216.34", ""),
    ],
)
def test_the_network_is_that_of_who_asked(peer: str, forwarded: str, network: str) -> None:
    assert network_of(peer, forwarded) == network
