"""Waking from web requests: soon, few, and none lost."""

import re
import threading
from itertools import count

from engage.celery import app
from engage.local.bootstrap import BASE_DIR
from engage.wake import Waker

PATIENCE = 10


class Broker:
    """Takes waker, and lets them wait at a gate while that is closed."""

    def __init__(self) -> None:
        self.taken = threading.Semaphore(0)
        self.gate = threading.Event()
        self.number = count(1)
        self.sent = 0

    def send(self) -> None:
        self.sent = next(self.number)
        self.taken.release()
        assert self.gate.wait(PATIENCE)


def test_who_asks_does_not_wait_and_many_become_one_more() -> None:
    broker = Broker()
    waker = Waker(broker.send, pause=0)

    waker.ask()
    assert broker.taken.acquire(timeout=PATIENCE)
    # The broker has not answered yet: these are heard after it has, and as one.
    for _ in range(50):
        waker.ask()
    assert broker.sent == 1
    broker.gate.set()

    assert broker.taken.acquire(timeout=PATIENCE)
    assert not broker.taken.acquire(timeout=0.1)
    assert broker.sent == 2


def test_who_asks_from_many_threads_starts_one_thread() -> None:
    broker = Broker()
    broker.gate.set()
    waker = Waker(broker.send, pause=0)
    before = set(threading.enumerate())
    asking = [threading.Thread(target=waker.ask) for _ in range(20)]

    for each in asking:
        each.start()
    for each in asking:
        each.join()

    assert broker.taken.acquire(timeout=PATIENCE)
    assert [each.name for each in set(threading.enumerate()) - before] == ["waker"]


def test_each_task_that_is_named_is_one() -> None:
    app.loader.import_default_modules()
    sources = [each.read_text() for room in ("contacts", "messaging") for each in (BASE_DIR / room).rglob("*.py")]
    named = {name for source in sources for name in re.findall(r'"((?:contacts|messaging)\.tasks\.\w+)"', source)}

    assert len(named) > 8
    assert named <= app.tasks.keys()
