"""What Celery runs; the work itself is done where it belongs."""

import logging

from celery import Task, shared_task

from contacts.blocks import removal

log = logging.getLogger(__name__)


@shared_task
def carry_on() -> int:
    return removal.carry_on()


def nudge(task: "Task[[], int]") -> None:
    """Have a worker do this soon. Without a broker the beat does so within a minute; nothing is lost by that."""
    try:
        task.delay()
    except Exception as error:  # noqa: BLE001 -- whatever ails the broker, what is to be done stands in the database
        log.warning("The broker cannot be reached (%s); the beat will have it done.", type(error).__name__)
