"""How fast events are applied: by messaging.ledger.record, by the yardstick, and by a loop over the ORM."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import psutil
from django.db import connection, transaction

from bench import data, events, orm_loop, yardstick
from bench.figures import Figure, median_ratio, medians, rounded, say
from messaging.ledger.record import SourcedEvent
from messaging.status.order import Event
from messaging.suppression.follow import apply

ROUNDS: Final = 5
WINDOW_SECONDS: Final = 5.0
# The fastest way sets the work of a window; so much more of it, lest a later round takes less than the five seconds.
MARGIN: Final = 1.3


@dataclass(frozen=True, slots=True)
class Way:
    """One way to apply a batch of events. `prepare` is not timed, `run` is."""

    name: str
    reset: Callable[[], None]
    prepare: Callable[[list[Event]], Any]
    run: Callable[[Any], None]
    # Per event it takes the same from the first one on, so that it need not go through all of the work.
    is_slow: bool = False


def measure(messages: int) -> Iterator[Figure]:
    engage, theirs = data.loaded(messages), yardstick.loaded(messages)
    ways = [
        Way("yardstick", theirs, yardstick.columns, yardstick.apply),
        Way("engage", engage, _said, _apply),
        Way("engage_by_provider_id", engage, _said_without_token, _apply),
        Way("orm_loop", engage, list, orm_loop.apply, is_slow=True),
    ]
    work = _enough_work(ways[0], messages)
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    cpu: dict[str, list[float]] = {way.name: [] for way in ways}
    shares: list[float] = []
    for number in range(1, ROUNDS + 1):
        for way in ways if number % 2 else reversed(ways):
            rate, cpu_ms = _window(way, work)
            rates[way.name].append(rate)
            cpu[way.name].append(cpu_ms)
            say(f"round {number} of {ROUNDS}: {way.name} {rates[way.name][-1]:,.0f} events/s")
            if way.name == "engage":
                shares.append(_hot_share())
    detail = {
        "messages": messages, "batch": events.BATCH, "events_in_a_window": len(work) * events.BATCH, "rounds": ROUNDS,
        "events_per_second": medians(rates), "cpu_ms_per_batch": medians(cpu),
    }  # fmt: skip
    ours = rates["engage"]
    yield Figure("apply_vs_sql", median_ratio(ours, rates["yardstick"]), "ratio", detail | _all(rates, "yardstick"))
    yield Figure(
        "apply_by_provider_id_vs_sql", median_ratio(rates["engage_by_provider_id"], rates["yardstick"]), "ratio", detail
    )
    yield Figure("apply_vs_orm_loop", median_ratio(ours, rates["orm_loop"]), "ratio", detail | _all(rates, "orm_loop"))
    yield Figure("apply_hot_share", min(shares), "share", detail | {"each_round": [rounded(share) for share in shares]})


def _said(batch: Sequence[Event]) -> list[SourcedEvent]:
    return [SourcedEvent(event, report_id=1) for event in batch]


def _said_without_token(batch: Sequence[Event]) -> list[SourcedEvent]:
    return _said([replace(event, message_id=None) for event in batch])


def _apply(said: list[SourcedEvent]) -> None:
    with transaction.atomic():
        unmatched = apply(said)
    if unmatched:
        raise AssertionError(f"{len(unmatched)} events found no message")


def _enough_work(fastest: Way, messages: int) -> list[list[Event]]:
    """Batches that keep the fastest way busy for a window; also the warm-up."""
    stream, work = events.batches(messages, seed=1), list[list[Event]]()
    fastest.reset()
    connection.ensure_connection()
    spent = 0.0
    while spent < WINDOW_SECONDS * MARGIN:
        work.append(next(stream))
        spent += _timed(fastest, work[-1])[0]
    # Out of the sight of the garbage collector, which in the product has no such heap to go through.
    gc.collect()
    gc.freeze()
    say(f"a window is {len(work)} batches of {events.BATCH} events")
    return work


def _window(way: Way, work: Sequence[list[Event]]) -> tuple[float, float]:
    """Events per second, and milliseconds of processor time a batch, from the pristine state on."""
    way.reset()
    connection.ensure_connection()
    spent, cpu, done = 0.0, 0.0, 0
    for batch in work:
        seconds, cpu_seconds = _timed(way, batch)
        spent, cpu, done = spent + seconds, cpu + cpu_seconds, done + 1
        if way.is_slow and spent >= WINDOW_SECONDS:
            break
    return done * events.BATCH / spent, cpu * 1000 / done


def _timed(way: Way, batch: list[Event]) -> tuple[float, float]:
    """Seconds by the clock, and of processor time."""
    prepared = way.prepare(batch)
    cpu, start = _cpu_seconds(), time.perf_counter()
    way.run(prepared)
    return time.perf_counter() - start, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    """Of this process and, if the server is on this machine, of our backend: steadier than the clock on a busy one."""
    seconds = time.process_time()
    with suppress(psutil.Error):
        backend = psutil.Process(connection.connection.info.backend_pid).cpu_times()
        seconds += backend.user + backend.system
    return seconds


def _hot_share() -> float:
    """Of all updates of messages in this window, those that stayed within their page and touched no index."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'messaging_message'")
        hot, updated = cursor.fetchone()
    return float(hot / updated)


def _all(rates: dict[str, list[float]], other: str) -> dict[str, object]:
    pairs = zip(rates["engage"], rates[other], strict=True)
    return {"each_round": [rounded(ours / their) for ours, their in pairs]}
