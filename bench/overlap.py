"""Two workers apply the same events, each in an order of its own and some of them twice: nobody may deadlock."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from multiprocessing.synchronize import Event as Flag
from random import Random
from typing import Final

from django.db import DatabaseError, connection, connections, transaction

from bench import data
from bench.events import BATCH, START
from bench.figures import Figure, rounded, say
from contacts.models import Block, Cause, Channel
from messaging.ledger.record import SourcedEvent
from messaging.models import DeliveryEvent, Message, OutageRule
from messaging.status.order import Event, Kind, MessageOutcome, Status, fold
from messaging.suppression.follow import apply

WINDOW_SECONDS: Final = 10.0
WORKERS: Final = 2
# So few, and of so few contacts, that both workers are at the same rows all the time. (Contact 1 has most messages.)
MESSAGES: Final = 3_000
CONTACTS: Final = 100
EVENTS_A_ROUND: Final = 5_000
KINDS: Final = [kind for kind in Kind if kind != Kind.ACCEPTED]


@dataclass(slots=True)
class Told:
    """What a worker tells at its end."""

    rounds: int = 0
    events: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)


def measure(messages: int) -> Iterator[Figure]:
    data.loaded(messages)()
    # A domain that calls so many living addresses dead has an outage, and is not what is measured here.
    OutageRule.objects.create(is_on=False, addresses=20, hours=6, share=50, alive_days=30, times=5, rate=2)
    targets, before = _targets(), _deadlocks()
    told = _run_workers(targets)
    deadlocks, errors = _deadlocks() - before, [error for each in told for error in each.errors]
    say(f"{told[0].rounds} rounds, {deadlocks} deadlocks, {len(errors)} errors; comparing with the fold …")
    said = [event for number in range(told[0].rounds) for event in _said(targets, number)]
    yield Figure(
        "apply_deadlocks", max(deadlocks, len(errors)), "count",
        {
            "messages": messages, "workers": WORKERS, "seconds": rounded(min(each.seconds for each in told)),
            "overlapping_messages": len(targets), "events": sum(each.events for each in told),
            "events_per_second": rounded(sum(each.events / each.seconds for each in told)),
            "deadlocks": deadlocks, "errors": errors[:3], "different_from_the_fold": _differences(targets, said),
        },
    )  # fmt: skip


def _targets() -> dict[int, Channel]:
    """Messages that wait for their first event, by their id."""
    waiting = Message.objects.filter(status=Status.UNKNOWN, contact_id__lte=CONTACTS).order_by("pk")
    return {pk: Channel(channel) for pk, channel in waiting.values_list("pk", "channel")[:MESSAGES]}


def _deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def _run_workers(targets: dict[int, Channel]) -> list[Told]:
    connections.close_all()  # a forked worker must not inherit one
    context = get_context("fork")
    together, stop, told = context.Barrier(WORKERS, timeout=300), context.Event(), context.Queue()
    workers = [
        context.Process(target=_work, args=(number, targets, together, stop, told), daemon=True)
        for number in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    results = [told.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join()
    return results


def _work(number: int, targets: dict[int, Channel], together: Barrier, stop: Flag, told: "Queue[Told]") -> None:
    """One worker: round by round, side by side with the other, until the time is over."""
    random, mine = Random(number), Told()
    while True:
        if number == 0 and mine.seconds >= WINDOW_SECONDS:
            stop.set()
        together.wait()
        if stop.is_set():
            break
        said = _said(targets, mine.rounds)
        arriving = said + random.sample(said, len(said) // 4)
        random.shuffle(arriving)
        start = time.monotonic()
        for first in range(0, len(arriving), BATCH):
            _apply(arriving[first : first + BATCH], mine.errors)
        mine.seconds += time.monotonic() - start
        mine.events += len(arriving)
        mine.rounds += 1
    told.put(mine)


def _said(targets: dict[int, Channel], number: int) -> list[Event]:
    """The events of one round, the same for every worker: of every kind, few times, so that there are ties."""
    random, ids = Random(f"round {number}"), list(targets)
    return [
        Event(
            "sendgrid", random.choice(KINDS), START + timedelta(hours=random.randint(0, 48)), f"{number}.{index}",
            random.choice(ids), is_automatic=random.random() < 0.5,
        )
        for index in range(EVENTS_A_ROUND)
    ]  # fmt: skip


def _apply(batch: list[Event], errors: list[str]) -> None:
    """Again after an error, as the next task would; so the end is comparable all the same."""
    for _ in range(10):
        try:
            with transaction.atomic():
                apply([SourcedEvent(event) for event in batch])
        except DatabaseError as error:
            errors.append(f"{type(error).__name__}: {error}")
        else:
            return


def _differences(targets: dict[int, Channel], said: list[Event]) -> int:
    """How many messages and addresses are not as the pure fold of all events has them, and how many events are not
    there exactly once."""
    by_message = defaultdict[int, list[Event]](list)
    for event in said:
        by_message[event.message_id or 0].append(event)
    expected = {pk: fold(targets[pk], mine) for pk, mine in by_message.items()}
    messages = Message.objects.in_bulk(list(by_message))
    different = sum(_outcome(messages[pk]) != outcome for pk, outcome in expected.items() if outcome.decided_by)
    return different + abs(DeliveryEvent.objects.count() - len(said)) + _different_blocks(messages, said)


def _outcome(message: Message) -> MessageOutcome:
    return MessageOutcome(
        Status(message.status), message.rank, message.is_opened, message.is_opened_by_person, message.decided_by
    )


def _different_blocks(messages: dict[int, Message], said: list[Event]) -> int:
    """The earliest hard bounce of an address is the start of its one block."""
    since: dict[int, object] = {}
    for event in sorted(said, key=lambda event: event.occurred_at):
        if event.kind == Kind.HARD_BOUNCE:
            since.setdefault(messages[event.message_id or 0].address_id, event.occurred_at)
    blocks = list(Block.objects.filter(cause=Cause.ONE_HARD_BOUNCE).values_list("address_id", "started_at"))
    return len(set(blocks) ^ set(since.items())) + len(blocks) - len(set(blocks))
