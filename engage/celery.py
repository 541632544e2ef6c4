"""The Celery application; the beat schedule is in the settings."""

import os
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.signals import before_task_publish
from kombu.transport import redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
# A nudge need not be put back into a broker that went away, either (see CELERY_BROKER_TRANSPORT_OPTIONS).
redis.Channel.do_restore = False
app = Celery("engage")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@before_task_publish.connect(sender="messaging.tasks.heartbeat")
def beat_is_here(**_: Any) -> None:
    """Runs in the beat as it sends the heartbeat; Celery has no other hook by which a beat could tell that it lives."""
    from messaging import health  # noqa: PLC0415 -- Django must be set up first

    with suppress(Exception):  # without a broker the task cannot be sent either, and the beat says so itself
        health.beat_heartbeat()
