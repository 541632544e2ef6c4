"""Kills Engage's processes at random moments while reports come in: what was answered is applied exactly once.

Among the reports is one that kills whoever reads it: it is set aside, all others get through.

CHAOS_SEED repeats the choices of a run (not its moments); CHAOS_KILLS and CHAOS_EVENTS make it shorter or longer,
CHAOS_KEEP leaves its folder with the logs.
"""

import os
import random
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psutil
import psycopg
import pytest

from contacts.models import Channel
from engage.local import run
from engage.local.embedded import StartError
from messaging.inbox import claims
from messaging.status.order import Event, Kind, fold, key_of
from tests.chaos.kills import Killer, Running
from tests.chaos.reports import START, Fact, Provider, batches, contacts, facts, messages
from tests.messaging.killing import WORDS
from tests.newcomer.test_newcomer import spare_port

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("CHAOS_SEED", str(random.randrange(1_000_000))))
INBOX_SECONDS = 120.0
ORPHAN_SECONDS = 30.0
FILL: tuple[LiteralString, ...] = (
    (
        "INSERT INTO contacts_address (id, channel, value)"
        " SELECT n, 'email', 'c' || n || '@chaos.test' FROM generate_series(1, %(contacts)s) n"
    ),
    (
        "INSERT INTO contacts_contact (id, guid, email, email_address_id,"
        " first_name, last_name, mobile, mobile_digits, country, language)"
        " SELECT n, gen_random_uuid(), 'c' || n || '@chaos.test', n, '', '', '', '', '', ''"
        " FROM generate_series(1, %(contacts)s) n"
    ),
    (
        "INSERT INTO messaging_message (id, channel, contact_id, address_id, subject, provider, sent_at)"
        " SELECT n, 'email', (n - 1) %% %(contacts)s + 1, (n - 1) %% %(contacts)s + 1, 'Chaos', 'sendgrid', %(sent_at)s"
        " FROM generate_series(1, %(messages)s) n"
    ),
    # A domain that calls so many living addresses dead has an outage: then what blocks would wait for a person.
    (
        "INSERT INTO messaging_outagerule (is_on, addresses, hours, share, alive_days, times, rate)"
        " VALUES (false, 20, 6, 50, 30, 5, 2)"
    ),
)


def rows(query: LiteralString, values: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
    with run.connect(os.environ["DATABASE_URL"]) as connection:
        return connection.execute(query, values).fetchall()


def fill_tables() -> None:
    shape = {"contacts": contacts(), "messages": messages(), "sent_at": START}
    with run.connect(os.environ["DATABASE_URL"]) as connection:
        for statement in FILL:
            connection.execute(statement, shape)


def wait_for_answers(provider: Provider, threads: list[threading.Thread], engage: Running) -> None:
    deadline = time.monotonic() + INBOX_SECONDS
    while any(thread.is_alive() for thread in threads):
        assert time.monotonic() < deadline, f"unanswered: {provider.answers}"
        engage.start_what_ended()
        time.sleep(0.2)


def wait_for_inbox() -> float:
    """Returns how long it took, seconds."""
    start = time.monotonic()
    while left := inbox():
        assert time.monotonic() < start + INBOX_SECONDS, f"left in the inbox: {left}"
        time.sleep(0.5)
    return time.monotonic() - start


def inbox() -> list[tuple[Any, ...]]:
    """What is left in it. The last kill may have been PostgreSQL's, which then needs a moment."""
    try:
        return rows("SELECT state, count(*) FROM messaging_report WHERE next_at IS NOT NULL GROUP BY state")
    except (StartError, psycopg.OperationalError) as error:
        return [(error,)]


def wait_for_orphans(engage: Running) -> None:
    """Children end by themselves once they see that what started them was killed."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while left := engage.left_behind():
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.5)


def check(said: Sequence[Fact]) -> None:
    events = [fact.event() for fact in said]
    check_reports()
    check_messages(events)
    check_events(events)
    check_blocks(events)


def check_messages(events: Sequence[Event]) -> None:
    by_message = defaultdict[int, list[Event]](list)
    for event in events:
        by_message[event.message_id or 0].append(event)
    expected = {pk: tuple(fold(Channel.EMAIL, mine)) for pk, mine in by_message.items()}
    found = rows("SELECT id, status, rank, is_opened, is_opened_by_person, decided_by FROM messaging_message")
    different = [(pk, outcome, expected[pk]) for pk, *outcome in found if tuple(outcome) != expected[pk]]
    assert not different, f"{len(different)} messages are not as the fold has them: {different[:3]}"
    assert len(found) == len(expected)


def check_events(events: Sequence[Event]) -> None:
    expected: set[UUID] = {key_of(event) for event in events}
    found = [key for (key,) in rows("SELECT key FROM messaging_deliveryevent")]
    assert len(expected) == len(events)
    assert len(found) == len(expected)
    assert set(found) == expected


def check_blocks(events: Sequence[Event]) -> None:
    """The earliest hard bounce of an address is the start of its one block, and each has one line of history."""
    since: dict[int, datetime] = {}
    for event in events:
        if event.kind == Kind.HARD_BOUNCE:
            address = (event.message_id or 0) % contacts() or contacts()
            since[address] = min(since.get(address, event.occurred_at), event.occurred_at)
    blocks = rows("SELECT address_id, started_at FROM contacts_block WHERE ended_at IS NULL")
    assert len(blocks) == rows("SELECT count(*) FROM contacts_block")[0][0] == len(since)
    assert dict(blocks) == since
    history = rows("SELECT contact_id, kind FROM contacts_change")
    assert sorted(history) == sorted((contact, "blocked") for contact in since)


def check_reports() -> None:
    """Nothing is set aside but what kills whoever reads it, and the tallies have counted every report once."""
    [(total, events, others, killers, set_aside)] = rows(
        "SELECT count(*), sum(events),"
        " count(*) FILTER (WHERE NOT is_counted OR NOT is_killer AND (state <> 'applied' OR error <> '')),"
        " count(*) FILTER (WHERE is_killer),"
        " count(*) FILTER (WHERE is_killer AND state = 'unreadable' AND error LIKE %(begin)s)"
        " FROM (SELECT *, position(%(words)s::bytea IN body) > 0 AS is_killer FROM messaging_report) r",
        {"words": WORDS, "begin": f"{claims.TOOK_DOWN}%"},
    )
    assert others == 0
    assert killers == set_aside > 0
    assert not rows("SELECT FROM messaging_claim")
    tallied = rows(
        "SELECT sum(reports), sum(events), sum(unreadable + unmatched + set_aside + refused) FROM messaging_tally"
    )
    assert tallied == [(total, events, killers)]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """In a folder with a short path: a socket must fit in, or it would move on every start."""
    var = Path(tempfile.mkdtemp(prefix="engage-chaos-"))
    port = str(spare_port())
    ours = {"VAR_DIR": str(var), "PORT": port, "PUBLIC_URL": f"http://127.0.0.1:{port}", "LOG_LEVEL": "WARNING"}
    for name, value in {**ours, "HOST": "127.0.0.1", "DATABASE_URL": "", "REDIS_URL": ""}.items():
        monkeypatch.setenv(name, value)
    stack = ExitStack()
    engage = Running(var, stack)
    try:
        engage.start()
        yield engage
    finally:
        stack.close()
        for process in engage.left_behind():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if not os.environ.get("CHAOS_KEEP"):
            shutil.rmtree(var, ignore_errors=True)


def test_whatever_is_killed_every_answered_report_is_applied_exactly_once(
    running: Running, sendgrid_private_key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(line: str) -> None:
        with capsys.disabled():
            print(f"   {line}", flush=True)

    chance, start = random.Random(SEED), time.monotonic()
    say(f"seed {SEED}, logs in {running.var / 'log'}")
    fill_tables()
    said = facts(chance)
    provider = Provider(int(os.environ["PORT"]), sendgrid_private_key, batches(said, chance))
    killer = Killer(running, chance)
    threads = provider.start()
    provider.post_killer()
    killer.run(provider)
    say(f"{killer.kills.total()} kills in {time.monotonic() - start:.0f} s: {dict(killer.kills)}")
    wait_for_answers(provider, threads, running)
    say(f"{len(provider.waiting)} batches, answers: {dict(provider.answers)}")
    say(f"inbox empty after {wait_for_inbox():.1f} s; ended by themselves: {running.ended_by_themselves}")

    check(said)
    assert not [answer for answer in provider.answers if answer.startswith(("3", "4"))], provider.answers
    wait_for_orphans(running)
    posted = sum(map(len, provider.waiting))
    reports = rows("SELECT count(*) FROM messaging_report")[0][0]
    say(f"{posted} events posted, {len(said)} distinct, {reports} reports, {time.monotonic() - start:.0f} s")
