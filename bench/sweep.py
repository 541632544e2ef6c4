"""Giving up on what fell due, with its events, against one plain UPDATE of the same rows."""

import statistics
import time
from collections.abc import Iterator
from typing import Any, Final
from unittest.mock import patch

import psutil
from django.db import connection

from bench import data, sql
from bench.figures import Figure, median_ratio, medians, rounded, say
from messaging.ledger import sweep

ROUNDS: Final = 5
MEGABYTE: Final = 1_000_000


def measure(messages: int) -> Iterator[Figure]:
    reset = data.loaded(messages)
    rates: dict[str, list[float]] = {"engage": [], "update": []}
    chunks: list[float] = []
    growth: list[float] = []
    for number in range(1, ROUNDS + 1):
        for way in ("engage", "update") if number % 2 else ("update", "engage"):
            reset()
            due = _count_due()
            start = time.perf_counter()
            if way == "update":
                swept = _update()
            else:
                swept, took, grown = _sweep()
                chunks += took
                growth.append(grown)
            rates[way].append(swept / (time.perf_counter() - start))
            if not due <= swept <= due + 100:  # meanwhile the clock went on
                raise AssertionError(f"{due} messages are due, {way} gave up on {swept}")
            say(f"round {number} of {ROUNDS}: {way} {rates[way][-1]:,.0f} messages/s, {due:,} due")
    detail = {
        "messages": messages, "due": due, "chunk": sweep.CHUNK, "rounds": ROUNDS, "messages_per_second": medians(rates),
    }  # fmt: skip
    pairs = zip(rates["engage"], rates["update"], strict=True)
    each_round = [rounded(ours / their) for ours, their in pairs]
    yield Figure(
        "sweep_vs_update", median_ratio(rates["engage"], rates["update"]), "ratio", detail | {"each_round": each_round}
    )
    memory = {"memory_growth_mb": rounded(max(growth)), "median_ms": rounded(statistics.median(chunks) * 1000)}
    yield Figure("sweep_worst_chunk_ms", max(chunks) * 1000, "ms", detail | memory | {"chunks": len(chunks)})


def _count_due() -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.COUNT_DUE)
        return int(cursor.fetchone()[0])


def _update() -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.GIVE_UP_PLAINLY)
        return int(cursor.rowcount)


def _sweep() -> tuple[int, list[float], float]:
    """How many were given up, the seconds of each chunk, and by how much the memory grew after the first tenth."""
    took: list[float] = []
    resident: list[float] = []
    process, sweep_chunk = psutil.Process(), sweep._sweep_chunk

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        done = sweep_chunk(*arguments)
        took.append(time.perf_counter() - start)
        resident.append(process.memory_info().rss / MEGABYTE)
        return done

    with patch.object(sweep, "_sweep_chunk", timed):
        swept = sweep.give_up_due()
    return swept, took, max(resident) - max(resident[: -(-len(resident) // 10)])
