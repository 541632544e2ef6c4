"""Turns of handing over follow each other without a pause, and no more of them at once than may be."""

from collections import deque

import pytest
from django.core.cache import cache

from messaging import tasks
from messaging.sendouts.handover import turns, work
from tests.messaging.sendouts.people import make_send_out

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> deque[tuple[int, int]]:
    """The tasks that the broker would have."""
    cache.clear()
    found = deque[tuple[int, int]]()
    monkeypatch.setattr(tasks.hand_over, "delay", lambda *arguments: found.append(arguments))
    return found


def test_a_nudge_fills_the_places_that_are_free(asked: deque[tuple[int, int]]) -> None:
    for _ in range(3):
        turns.nudge(7)

    assert list(asked) == [(7, place) for place in range(turns.PLACES)]


def test_a_turn_that_leaves_something_asks_for_the_next_and_a_last_one_makes_room(
    asked: deque[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    send_out, more = make_send_out(), [True, False]
    monkeypatch.setattr(work, "hand_over", lambda _pk: more.pop(0))
    turns.nudge(send_out.pk)
    asked.clear()

    turns.take(send_out.pk, 1)
    assert list(asked) == [(send_out.pk, 1)]

    turns.take(send_out.pk, 1)
    turns.nudge(send_out.pk)
    assert list(asked) == [(send_out.pk, 1), (send_out.pk, 1)]
