"""What Celery runs; the work itself is done where it belongs."""

from celery import shared_task

from contacts.blocks import removal


@shared_task
def carry_on() -> int:
    return removal.carry_on()
