"""What Celery runs; the work itself is done where it belongs."""

from celery import shared_task

from messaging import reports, sweep


@shared_task
def apply_reports() -> int:
    return reports.apply_pending()


@shared_task
def sweep_due() -> int:
    return sweep.give_up_due()
