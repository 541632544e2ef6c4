"""Counting what became of send-outs, in the background: all messages at first, and then what some events changed."""

import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

from django.db import connection, transaction

from bench import data, events
from bench.figures import Figure, rounded, say
from messaging.ledger.record import SourcedEvent
from messaging.models import SendOut
from messaging.sendouts.outcome import keeping
from messaging.sendouts.outcome.chart import chart_of
from messaging.sendouts.outcome.reading import outcome_of
from messaging.suppression.follow import apply

BATCHES: Final = 100
NOW: Final = timedelta(0)
PAGES: Final = 100
WAITING: Final = """
SELECT (SELECT count(*) FROM messaging_stretch WHERE changed_at IS NOT NULL)
  + (SELECT count(*) FROM messaging_sendout s WHERE NOT EXISTS (
       SELECT FROM messaging_outcome o WHERE o.send_out_id = s.id)
     AND EXISTS (SELECT FROM messaging_message m WHERE m.send_out_id = s.id))
"""


def measure(messages: int) -> Iterator[Figure]:
    data.loaded(messages)()
    first = _until_all_is_counted()
    say(f"{messages:,} messages counted in {first:.1f} s")
    start = time.perf_counter()
    for batch in islice(events.batches(messages, seed=5), BATCHES):
        with transaction.atomic():
            apply([SourcedEvent(event) for event in batch])
    applied, told = time.perf_counter() - start, _count("SELECT count(*) FROM messaging_deliveryevent")
    again = _until_all_is_counted()
    detail: dict[str, object] = {
        "messages": messages, "events": told, "seconds_for_all_messages": rounded(first),
        "seconds_to_apply_the_events": rounded(applied), "seconds_to_count_what_they_changed": rounded(again),
        "page_ms": rounded(_page()),
    }  # fmt: skip
    yield Figure("outcomes_per_second", messages / first, "messages per second", detail)


def _until_all_is_counted() -> float:
    start = time.perf_counter()
    keeping.look(60, NOW)
    while _count(WAITING):
        keeping.look(60, NOW)
    return time.perf_counter() - start


def _page() -> float:
    """Milliseconds to read what a page of a send-out shows, on average."""
    chosen = list(SendOut.objects.order_by("pk")[:PAGES])
    start = time.perf_counter()
    for each in chosen:
        outcome_of(each)
        chart_of(each)
    return (time.perf_counter() - start) / len(chosen) * 1000


def _count(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
