"""Turns of handing over follow each other without a pause, and no more of them at once than may be."""

from collections import deque

import pytest
from django.core.cache import cache
from pytest_django import Settings

from messaging.delivery import worker_slots
from messaging.delivery.email_routes import Direct
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.receiver import receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> deque[tuple[int, int]]:
    """The tasks that the broker would have."""
    cache.clear()
    found = deque[tuple[int, int]]()
    monkeypatch.setattr(worker_slots, "send", lambda _task, *arguments: found.append(arguments))
    return found


def test_waking_fills_the_places_that_are_free(asked: deque[tuple[int, int]]) -> None:
    for _ in range(3):
        worker_slots.wake_worker(7)

    assert list(asked) == [(7, place) for place in range(worker_slots.PLACES)]


def test_a_turn_that_leaves_something_asks_for_the_next_and_a_last_one_makes_room(
    asked: deque[tuple[int, int]], settings: Settings
) -> None:
    make_contact()
    send_out = make_send_out(sender="news@engage.example")
    run(send_out)
    worker_slots.wake_worker(send_out.pk)
    asked.clear()

    with receiver() as found:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        worker_slots.take(send_out.pk, 1, seconds=0)
        assert list(asked) == [(send_out.pk, 1)]

        worker_slots.take(send_out.pk, 1, seconds=0)
        worker_slots.take(send_out.pk, 1, seconds=0)
    assert list(asked) == [(send_out.pk, 1)] * 2
    worker_slots.wake_worker(send_out.pk)
    assert list(asked) == [(send_out.pk, 1)] * 3
