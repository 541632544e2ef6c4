"""The Celery application; the beat schedule is in the settings."""

import ctypes
import gc
import os
import signal
import sys
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from celery import Celery, Task
from celery.signals import (
    beat_init,
    before_task_publish,
    worker_before_create_process,
    worker_process_init,
    worker_ready,
)
from kombu.transport import redis

from engage.frames import roomy

# glibc's mallopt(3). It would raise both by itself after the first large report, and keep what each needs from then on.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
GIVE_BACK_BYTES: Final = 128 * 1024
STARTED: Final = monotonic()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
# A call to wake need not be put back into a broker that went away, either (see CELERY_BROKER_TRANSPORT_OPTIONS).
redis.Channel.do_restore = False


class RoomyTask(Task[Any, Any]):
    @roomy
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)


app: "Celery[Task[Any, Any]]" = Celery("engage", task_cls=RoomyTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
@before_task_publish.connect(sender="messaging.tasks.heartbeat")
def beat_is_here(**_: Any) -> None:
    """Runs in the beat as it sends the heartbeat; Celery has no other hook by which a beat could tell that it lives."""
    from messaging.monitoring import alarms, health  # noqa: PLC0415 -- Django must be set up first

    with suppress(Exception):  # without a broker the task cannot be sent either, and the beat says so itself
        health.beat_heartbeat()
    with suppress(Exception):  # a database that is away is found out by those who need it
        alarms.watch_queue(monotonic() - STARTED)


@worker_ready.connect
def worker_is_here(**_: Any) -> None:
    """At once, instead of with the first heartbeat that the beat asks for: the health page would show an alarm."""
    from messaging.monitoring import health  # noqa: PLC0415 -- as above

    with suppress(Exception):
        health.worker_heartbeat()


@worker_before_create_process.connect
def make_room(**_: Any) -> None:
    """Before the worker forks: what all its processes need is made once, and what making it left behind is given back.

    Frozen, what stays for good is walked through no more by the collector, which would copy it into each process.
    """
    from messaging.bounces import classify  # noqa: PLC0415 -- as above

    sys.path_importer_cache.clear()  # what lies in each folder that something was imported from; looked up anew
    classify.rules()
    gc.collect()
    gc.freeze()
    give_back()


@worker_process_init.connect
def leave_the_end_to_the_parent(**_: Any) -> None:
    """systemd sends SIGTERM to each process of a unit. The parent then waits for what its children have in hand; a
    child that ended by itself would leave messages marked, of which nobody knows whether they left."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def give_back() -> None:
    """Have the C library give back to the system what is free, now and from now on."""
    with suppress(AttributeError, OSError):  # another C library does without
        libc = ctypes.CDLL(None)
        libc.malloc_trim(0)
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            libc.mallopt(option, GIVE_BACK_BYTES)
