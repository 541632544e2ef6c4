"""The Celery application; the beat schedule is in the settings."""

import os
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.signals import beat_init, before_task_publish, worker_ready
from kombu.transport import redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
# A nudge need not be put back into a broker that went away, either (see CELERY_BROKER_TRANSPORT_OPTIONS).
redis.Channel.do_restore = False
app = Celery("engage")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
@before_task_publish.connect(sender="messaging.tasks.heartbeat")
def beat_is_here(**_: Any) -> None:
    """Runs in the beat as it sends the heartbeat; Celery has no other hook by which a beat could tell that it lives."""
    from messaging import health  # noqa: PLC0415 -- Django must be set up first

    with suppress(Exception):  # without a broker the task cannot be sent either, and the beat says so itself
        health.beat_heartbeat()


@worker_ready.connect
def worker_is_here(**_: Any) -> None:
    """At once, instead of with the first heartbeat that the beat asks for: the health page would show an alarm."""
    from messaging import health  # noqa: PLC0415 -- as above

    with suppress(Exception):
        health.worker_heartbeat()
