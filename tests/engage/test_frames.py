"""No matter how deep the stack is, a call asks the system for no memory."""

import sys
from collections.abc import Callable
from importlib import import_module
from resource import RUSAGE_THREAD, getrusage

import pytest

from engage.celery import app
from engage.frames import ROOM, roomy

CALLS = 500
# A chunk of 16 KB holds fewer frames of `at` than this.
DEPTHS = range(300)


def at(depth: int, function: Callable[[], int]) -> int:
    return at(depth - 1, function) if depth else function()


def new_pages() -> int:
    """How many pages of memory the system gave us while we called a function over and over."""
    before = getrusage(RUSAGE_THREAD).ru_minflt
    for _ in range(CALLS):
        nothing()
    return getrusage(RUSAGE_THREAD).ru_minflt - before


def nothing() -> None:
    pass


def most_new_pages() -> int:
    return max(at(depth, new_pages) for depth in DEPTHS)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="mended in some versions of 3.13")
def test_without_room_there_is_a_depth_where_each_call_takes_new_memory() -> None:
    assert most_new_pages() >= CALLS


def test_with_room_there_is_none() -> None:
    assert roomy(most_new_pages)() < CALLS / 10


def test_a_roomy_function_is_the_same_function() -> None:
    @roomy
    def share(part: int, *, whole: int) -> float:
        """What part it is."""
        return part / whole

    assert share(1, whole=4) == 0.25
    assert (share.__name__, share.__doc__) == ("share", "What part it is.")
    with pytest.raises(ZeroDivisionError):
        share(1, whole=0)


def test_the_web_server_and_all_tasks_have_room() -> None:
    application = import_module("engage.wsgi").application  # here, as it also sets the garbage collector
    ours = [task for name, task in app.tasks.items() if not name.startswith("celery.")]

    assert len(ours) > 10
    for called in [application, *(type(task).__call__ for task in ours)]:
        assert called.__code__.co_stacksize == ROOM
