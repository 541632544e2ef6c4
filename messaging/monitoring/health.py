"""Is everything that Engage needs there and at work? What /readyz tells.

The worker's heartbeat is a task that it runs, the beat's is left by the beat when it sends that task: so it can be
told which of the two is missing.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.models import Channel
from messaging.delivery import transport_factory
from messaging.ledger import sql

WORKER: Final = "engage.heartbeat.worker"
BEAT: Final = "engage.heartbeat.beat"
BOUNCE_SERVER: Final = "engage.heartbeat.bounce_server"
BOUNCE_MAILBOX: Final = "engage.heartbeat.bounce_mailbox"
CARRIERS: Final = {"bounce_server": BOUNCE_SERVER, "bounce_mailbox": BOUNCE_MAILBOX}
HEARTBEAT_SECONDS: Final = 15
# After so many missed ones a process is taken for dead.
SILENT_AFTER_SECONDS: Final = 4 * HEARTBEAT_SECONDS
LATE_AFTER_SECONDS: Final = 60
# So long nothing may leave of a send-out that has something to hand over.
STILL_AFTER_SECONDS: Final = 600
# So long a report may be due, or no task be taken up by a worker, before the queue counts as one that does not move.
STUCK_AFTER_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so; `says` is for a person."""

    name: str
    is_good: bool
    says: str


def checks() -> list[Check]:
    """All checks, the failing ones included; never raises."""
    return [_safely(name, check) for name, check in CHECKS.items()]


def carriers() -> list[Check]:
    """Checks of what brings bounce mail in, where it is set up. Without them nothing is lost, so /readyz is not about
    them: mail servers and mailboxes keep what they have."""
    wanted = {"bounce_server": settings.BOUNCE_LISTENERS, "bounce_mailbox": settings.IMAP_MAILBOXES}
    return [_safely(name, _heartbeat(CARRIERS[name])) for name, where in wanted.items() if where]


def beat_heartbeat() -> None:
    """The beat is at work: called when it sends the heartbeat task."""
    cache.set(BEAT, time.time(), timeout=None)


def worker_heartbeat() -> None:
    """A worker is at work: called by the heartbeat task."""
    cache.set(WORKER, time.time(), timeout=None)


@contextmanager
def signs_of_life(key: str) -> Iterator[None]:
    """A heartbeat of its own for a process that runs no tasks, for as long as the block lasts."""
    stop = Event()

    def beat() -> None:
        while True:
            # Without a broker it goes on working, so it goes on trying.
            with suppress(Exception):
                cache.set(key, time.time(), timeout=None)
            if stop.wait(HEARTBEAT_SECONDS):
                return

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def silence_of_workers() -> float | None:
    """For how many seconds no worker has taken up a heartbeat, which waits in the broker as other tasks do; None where
    that is not known."""
    last = cache.get(WORKER)
    return None if last is None else time.time() - float(last)


def lag_seconds() -> float:
    """How long the report that has waited longest for a worker has been due; 0 where none has."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LAG)
        return float(cursor.fetchone()[0])


def _safely(name: str, check: Callable[[str], Check]) -> Check:
    try:
        return check(name)
    except Exception as error:  # noqa: BLE001 -- whatever it is, that is the answer
        return Check(name, False, _("Cannot be reached (%(error)s).") % {"error": type(error).__name__})


def database(name: str = "database") -> Check:
    """It answers, and it takes what is written: a standby does not, nor one that is read-only or out of room."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.WRITE)
    except (DatabaseError, InterfaceError) as error:
        if connection.is_usable():
            says = _("Answers, but takes nothing that is to be written (%(error)s).")
            return Check(name, False, says % {"error": type(error.__cause__ or error).__name__})
        raise
    return Check(name, True, _("Answers, and takes what is written."))


def _broker(name: str) -> Check:
    cache.get(WORKER)
    return Check(name, True, _("Answers."))


def _heartbeat(key: str) -> Callable[[str], Check]:
    def check(name: str) -> Check:
        last = cache.get(key)
        if last is None:
            return Check(name, False, _("Has not been seen yet."))
        silent = time.time() - last
        says = ngettext("Last seen %(n)d second ago.", "Last seen %(n)d seconds ago.", int(silent)) % {"n": silent}
        return Check(name, silent <= SILENT_AFTER_SECONDS, says)

    return check


def _lag(name: str) -> Check:
    lag = lag_seconds()
    says = _("The oldest report has waited for %(seconds)d seconds.") % {"seconds": lag} if lag else _("Nothing waits.")
    return Check(name, lag <= LATE_AFTER_SECONDS, says)


def standing_still() -> list[int]:
    """The send-outs that are sending and have something to hand over, of which nothing has left for
    STILL_AFTER_SECONDS, though nobody asked us to wait and their way out is there."""
    ways = json.dumps({channel: transport_factory.slug_of(channel) for channel in Channel})
    of: Any = {"after": timedelta(seconds=STILL_AFTER_SECONDS), "ways": ways}
    with connection.cursor() as cursor:
        cursor.execute(sql.STANDING_STILL, of)
        return [pk for (pk,) in cursor.fetchall()]


def _send_outs(name: str) -> Check:
    still = standing_still()
    if not still:
        return Check(name, True, _("None stands still."))
    says = ngettext(
        "Nothing has left for %(minutes)d minutes of send-out %(which)s.",
        "Nothing has left for %(minutes)d minutes of send-outs %(which)s.",
        len(still),
    )  # fmt: skip
    which = ", ".join(map(str, still[:5])) + (" …" if len(still) > 5 else "")
    return Check(name, False, says % {"minutes": STILL_AFTER_SECONDS // 60, "which": which})


CHECKS: Final[dict[str, Callable[[str], Check]]] = {
    "database": database,
    "broker": _broker,
    "worker": _heartbeat(WORKER),
    "beat": _heartbeat(BEAT),
    "lag": _lag,
    "send_outs": _send_outs,
}
