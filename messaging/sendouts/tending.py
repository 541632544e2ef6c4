"""What is done for all send-outs every few seconds."""

from messaging.delivery import installation, worker_slots
from messaging.sendouts import lifecycle, progress, restored, totals


def tend() -> int:
    """Start what is due, fold totals, note rates, go on with what was left behind, end what is through.

    Returns how many send-outs are at work.
    """
    mark = restored.advance()
    restored.carry_out()
    lifecycle.start_due()
    totals.fold()
    left = progress.mark_all()
    if mark is not None:
        installation.keep_left(left)
    worker_slots.wake_all()
    return lifecycle.go_on()
