"""The whole way, from outside: signed SendGrid batches over HTTP to the running product, until the messages show it."""

import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Final

from django.core.management import call_command
from django.db import connection, transaction

from bench import card, data, posts, product, yardstick
from bench.figures import Figure, median_ratio, medians, percentile, rounded, say

ROUNDS: Final = 3
WINDOW_SECONDS: Final = 6.0
# Some ten seconds of it, so that it is not all beginning: after a checkpoint PostgreSQL logs each page whole once. The
# ways that work in the request go on for a window.
POSTS: Final = 2_000
PACED_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02
BURST: Final = 1_000_000
CARDS: Final = 300

INBOX: Final = "SELECT count(*) FROM (SELECT 1 FROM messaging_report WHERE next_at IS NOT NULL LIMIT 1) due"
APPLIED: Final = "SELECT COALESCE(sum(events), 0) FROM messaging_report WHERE state = 'applied'"
SETTLED_SINCE: Final = "SELECT id, received_at FROM messaging_report WHERE id > %s AND next_at IS NULL"
NOW: Final = "SELECT clock_timestamp()"


def measure(messages: int) -> Iterator[Figure]:
    reset, theirs = data.swept(messages), yardstick.loaded(messages)
    reset()
    call_command("collectstatic", "--no-input", verbosity=0)
    rates: dict[str, list[float]] = {"engage": [], "anymail": [], "lean": [], "set": [], "accepted": []}
    kept: dict[str, list[float]] = {"engage": [], "raw": []}
    for number in range(1, ROUNDS + 1):
        prepared = posts.signed(islice(posts.bodies(messages, seed=number), POSTS))
        reset()
        accepted, applied = whole_way(prepared)
        rates["accepted"].append(accepted)
        rates["engage"].append(applied)
        for name, new_events in (("anymail", reset), ("lean", reset), ("set", theirs)):
            new_events()
            rates[name].append(in_request(f"/{name}/", prepared))
        for name, application, path in (
            ("engage", product.ENGAGE, "/webhooks/sendgrid/"),
            ("raw", product.BESIDE, "/keep/"),
        ):
            reset()
            with product.web(application) as port:
                done, seconds = posts.send(port, path, prepared, WINDOW_SECONDS)
            kept[name].append(done / seconds)
        said = {name: round(values[-1]) for name, values in rates.items()}
        say(
            f"round {number} of {ROUNDS}: {said} events/s; kept {kept['engage'][-1]:.0f} vs {kept['raw'][-1]:.0f} posts/s"
        )
    detail: dict[str, object] = {
        "messages": messages, "events_in_a_post": posts.BATCH, "events_in_a_window": POSTS * posts.BATCH,
        "rounds": ROUNDS, "events_per_second": medians(rates), "posts_kept_per_second": medians(kept),
    }  # fmt: skip
    yield Figure("ingest_vs_anymail_orm", median_ratio(rates["engage"], rates["anymail"]), "ratio", detail)
    yield Figure("ingest_vs_lean_orm", median_ratio(rates["engage"], rates["lean"]), "ratio", detail)
    yield Figure("ingest_vs_set_in_request", median_ratio(rates["engage"], rates["set"]), "ratio", detail)
    yield Figure("accept_vs_raw_insert", median_ratio(kept["engage"], kept["raw"]), "ratio", detail)
    reset()
    half = statistics.median(rates["engage"]) / posts.BATCH / 2
    yield freshness(messages, half)
    reset()
    yield from burst(messages)


def whole_way(prepared: list[posts.Post]) -> tuple[float, float]:
    """Events accepted a second, and events applied a second, counted from the first post on."""
    with product.web() as port, product.workers():
        posts.send(port, "/webhooks/sendgrid/", prepared[:1])  # so that both are awake
        until_empty()
        start = time.perf_counter()
        done, seconds = posts.send(port, "/webhooks/sendgrid/", prepared[1:])
        until_empty()
        took = time.perf_counter() - start
    applied = int(one(APPLIED)) - posts.BATCH
    if applied != done * posts.BATCH:
        raise AssertionError(f"{done * posts.BATCH} events were posted, {applied} applied")
    return applied / seconds, applied / took


def in_request(path: str, prepared: list[posts.Post]) -> float:
    with product.web(product.BESIDE) as port:
        done, seconds = posts.send(port, path, prepared, WINDOW_SECONDS, again=True)
    return done * posts.BATCH / seconds


def freshness(messages: int, rate: float) -> Figure:
    """From received to visible, with a poll now and then: so at most POLL_SECONDS too long."""
    prepared = posts.signed(islice(posts.bodies(messages, seed=91), int(rate * PACED_SECONDS)))
    seen: dict[int, float] = {}
    with product.web() as port, product.workers():
        posts.send(port, "/webhooks/sendgrid/", prepared[:1])
        until_empty()
        first = int(one("SELECT max(id) FROM messaging_report"))
        sender = threading.Thread(
            target=posts.send, args=(port, "/webhooks/sendgrid/", prepared[1:]), kwargs={"rate": rate}
        )
        sender.start()
        while sender.is_alive() or int(one(INBOX)):
            with connection.cursor() as cursor:
                cursor.execute(NOW)
                now = cursor.fetchone()[0]
                cursor.execute(SETTLED_SINCE, [first])
                for pk, received_at in cursor.fetchall():
                    seen.setdefault(pk, (now - received_at).total_seconds() * 1000)
            time.sleep(POLL_SECONDS)
    values = list(seen.values())
    detail: dict[str, object] = {
        "messages": messages, "reports": len(values), "events_per_second": rounded(rate * posts.BATCH),
        "p50_ms": rounded(percentile(values, 0.5)),
    }  # fmt: skip
    return Figure("freshness_p99_ms", percentile(values, 0.99), "ms", detail)


def burst(messages: int) -> Iterator[Figure]:
    """What a million events that wait do to the card, and to the memory of the workers that apply them."""
    pages = card.pages_of(card.A_PAGE, card.MANY, CARDS)
    cookie = f"sessionid={card.administrator().cookies['sessionid'].value}"
    with ExitStack() as running:
        port = running.enter_context(product.web())
        for _ in range(2):
            idle = [card_over_http(port, page, cookie) for page in pages]
        fill_inbox(messages, BURST)
        say(f"{BURST:,} events wait")
        start = time.perf_counter()
        parent = running.enter_context(product.workers())
        memory, busy, chosen = list[float](), list[float](), pages
        while int(one(INBOX)):
            for page in chosen[:20]:
                busy.append(card_over_http(port, page, cookie))
            chosen = [*chosen[20:], *chosen[:20]]
            memory.append(product.largest(parent))
        seconds = time.perf_counter() - start
    detail: dict[str, object] = {
        "messages": messages, "events": BURST, "events_per_second": rounded(BURST / seconds),
        "idle_p50_ms": rounded(percentile(idle, 0.5)), "idle_p99_ms": rounded(percentile(idle, 0.99)),
        "busy_p50_ms": rounded(percentile(busy, 0.5)), "busy_p99_ms": rounded(percentile(busy, 0.99)),
        "after_a_tenth_mb": rounded(memory[len(memory) // 10]), "at_the_end_mb": rounded(memory[-1]),
    }  # fmt: skip
    yield Figure("card_in_burst_vs_idle", percentile(busy, 0.99) / percentile(idle, 0.99), "ratio", detail)
    yield Figure("worker_rss_mb", max(memory), "MB", detail)


def fill_inbox(messages: int, events: int) -> None:
    """As the webhook would have kept them."""
    statement = "INSERT INTO messaging_report (provider, body, content_type, path) VALUES ('sendgrid', %s, %s, '')"
    many = posts.bodies(messages, seed=92)
    with transaction.atomic(), connection.cursor() as cursor:
        for _ in range(events // posts.BATCH // 100):
            cursor.executemany(statement, [(body, "application/json") for body in islice(many, 100)])


def card_over_http(port: int, page: str, cookie: str) -> float:
    """Milliseconds, from outside."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    start = time.perf_counter()
    asked.request("GET", page, headers={"Cookie": cookie, "Host": "localhost"})
    answer = asked.getresponse()
    answer.read()
    took = (time.perf_counter() - start) * 1000
    asked.close()
    if answer.status != 200:
        raise AssertionError(f"{page} answered {answer.status}")
    return took


def until_empty(seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while int(one(INBOX)):
        if time.monotonic() > deadline:
            raise AssertionError(f"The inbox is not empty after {seconds} s")
        time.sleep(POLL_SECONDS)


def one(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0])
