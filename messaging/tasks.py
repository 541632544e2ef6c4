"""What Celery runs; the work itself is done where it belongs."""

from celery import shared_task

from contacts.blocks import importing
from engage.wake import wake
from messaging.delivery import dispatcher, worker_slots
from messaging.inbox import reports, retention
from messaging.ledger import sweep
from messaging.monitoring import alarms, health
from messaging.sendouts import making, tending
from messaging.sendouts.outcome import keeping
from messaging.suppression import engagement_after_block, named_bounces, outages, rule_changes, speakers
from messaging.suppression.list_reasons import reason_from


# What holds the processor outside of Python hears no other limit (budget.py).
@shared_task(time_limit=600)
def apply_reports() -> int:
    return reports.apply_pending()


@shared_task
def judge_claim(message_id: int, key: str, peer: str) -> bool:
    return named_bounces.judge(speakers.NamedBounce(message_id, key, peer))


@shared_task
def sweep_due() -> int:
    return sweep.give_up_due()


@shared_task
def prune() -> dict[str, int]:
    return retention.prune()


@shared_task
def drop_mail() -> int:
    return retention.drop_mail()


@shared_task
def heartbeat() -> None:
    health.worker_heartbeat()


@shared_task
def apply_block_rules() -> int:
    return rule_changes.apply_changed()


@shared_task
def carry_out_decisions() -> int:
    return outages.carry_out()


@shared_task
def look_after_blocks() -> dict[str, int]:
    return rule_changes.look_after_blocks()


@shared_task
def watch_providers() -> int:
    return alarms.watch()


@shared_task
def make_rows(send_out_id: int) -> None:
    if making.make_rows(send_out_id):
        making.wake_worker(send_out_id)


@shared_task
def tend_send_outs() -> int:
    return tending.tend()


@shared_task
def look_at_outcomes() -> int:
    return keeping.look()


@shared_task
def hand_over(send_out_id: int, place: int = 0) -> None:
    worker_slots.take(send_out_id, place)


@shared_task
def try_again() -> int:
    done = dispatcher.try_again()
    if done >= dispatcher.AT_ONCE:
        wake("messaging.tasks.try_again")
    return done


@shared_task
def seek_life() -> int:
    return engagement_after_block.seek()


@shared_task
def carry_on_imports() -> int:
    return importing.carry_on(reason_from)
