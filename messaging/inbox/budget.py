"""How much processor time and memory reading one report may take; what takes more is refused, not its worker ended."""

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from messaging.providers.base import UnreadableError

# Below, no reader makes enough of it to be worth the calls.
WORTH_IT_BYTES: Final = 2_048
# What a signal has raised may be lost where nothing can be raised, as while an object is deleted: so it comes again.
AGAIN_SECONDS: Final = 0.5
STATM: Final = Path("/proc/self/statm")


class _OverTimeError(BaseException):
    """No Exception, so that no reader takes it for an ordinary one of its own."""


@contextmanager
def within_budget(size: int) -> Iterator[None]:
    """Raises UnreadableError where the block takes more than REPORT_MAX_SECONDS of processor time, or more than
    REPORT_MAX_MEMORY bytes of memory on top of what the process has. `size` is how many bytes the block reads.

    Only where Python hears signals: in a process's main thread, as in a worker. What holds the processor outside of
    Python is not interrupted; that is what the time limit of the task is for.
    """
    if size < WORTH_IT_BYTES or threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with _time_limited(), _memory_limited():
            yield
    except _OverTimeError:
        raise UnreadableError(
            f"Reading it took longer than {settings.REPORT_MAX_SECONDS} s of processor time (REPORT_MAX_SECONDS)."
        ) from None
    except MemoryError:
        raise UnreadableError(
            f"Reading it took more than {settings.REPORT_MAX_MEMORY} bytes of memory (REPORT_MAX_MEMORY)."
        ) from None


@contextmanager
def _time_limited() -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _over_time)
    try:
        # The processor's time, not the clock's: a busy machine is no fault of the report.
        signal.setitimer(signal.ITIMER_PROF, settings.REPORT_MAX_SECONDS, AGAIN_SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _over_time(*_: Any) -> None:
    raise _OverTimeError


@contextmanager
def _memory_limited() -> Iterator[None]:
    if not (pages := _pages()):
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + settings.REPORT_MAX_MEMORY
    if before != resource.RLIM_INFINITY:
        limit = min(limit, before)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def _pages() -> int:
    """How many pages of addresses the process has; 0 where the system does not say (only Linux does)."""
    try:
        return int(STATM.read_text().split()[0])
    except OSError:
        return 0
