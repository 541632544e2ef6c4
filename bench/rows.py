"""Making the rows of a send-out, with exclusions and control groups, against one INSERT … SELECT of the same rows."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from django.db import connection

from bench import data, place, sql
from bench.figures import Figure, median_ratio, medians, rounded, say
from contacts.models import Channel
from messaging.models import Content, MasterControl, Message, SendOut
from messaging.sendouts import lifecycle, making

ROUNDS: Final = 5
# A tenth as many as there are messages in the other groups.
SHARE: Final = 10


def measure(messages: int) -> Iterator[Figure]:
    contacts = max(messages // SHARE, 1_000)
    reset = place.pristine("rows", lambda: _fill(contacts), f"{contacts:,} contacts to send to")
    rates: dict[str, list[float]] = {"engage": [], "insert_select": []}
    worst = 0.0
    for number in range(1, ROUNDS + 1):
        made: dict[str, int] = {}
        for way in ("engage", "insert_select") if number % 2 else ("insert_select", "engage"):
            reset()
            connection.ensure_connection()
            start = time.perf_counter()
            if way == "engage":
                worst = max(worst, _make())
            else:
                _insert()
            seconds = time.perf_counter() - start
            made[way] = Message.objects.count()
            rates[way].append(made[way] / seconds)
            say(f"round {number} of {ROUNDS}: {way} {rates[way][-1]:,.0f} rows/s, {made[way]:,} rows")
        if made["engage"] != made["insert_select"]:
            raise AssertionError(f"not the same rows: {made}")
    pairs = zip(rates["engage"], rates["insert_select"], strict=True)
    detail = {
        "contacts": contacts, "rows": made["engage"], "chunk": making.CHUNK, "rounds": ROUNDS,
        "rows_per_second": medians(rates), "worst_chunk_ms": rounded(worst * 1000),
        "each_round": [rounded(ours / theirs) for ours, theirs in pairs],
    }  # fmt: skip
    ratio = median_ratio(rates["engage"], rates["insert_select"])
    yield Figure("rows_vs_insert_select", ratio, "ratio", detail)


def _fill(contacts: int) -> None:
    """Contacts of whom some have no address, are blocked, opted out, or share one; and the rows that must come of it."""
    data.fill(0, contacts)
    MasterControl.objects.create(percentage=Decimal(2), seed=11)
    send_out = SendOut.objects.create(
        name="Rows", channel=Channel.EMAIL, control_percentage=Decimal(5), control_seed=12
    )
    send_out.content = Content.objects.create(send_out=send_out, version=1, subject="Rows", text="Rows")
    send_out.save()
    with connection.cursor() as cursor:
        cursor.execute(sql.FATES)
    _make()
    with connection.cursor() as cursor:
        cursor.execute(sql.KEEP_ROWS)
        cursor.execute(sql.UNMAKE_ROWS)
        cursor.execute("VACUUM (ANALYZE)")


def _make() -> float:
    """The seconds of the longest chunk."""
    worst, send_out = 0.0, SendOut.objects.get()
    lifecycle.start(send_out.pk)
    recipe, is_more = making.recipe_of(send_out.pk), True
    while is_more:
        start = time.perf_counter()
        is_more = making.make_chunk(recipe)
        worst = max(worst, time.perf_counter() - start)
    return worst


def _insert() -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.INSERT_ROWS)
