"""`python -m tests.chaos.killing worker …`: Engage's own worker, whose processes die of a report that says so."""

from typing import Any

from celery.signals import worker_process_init

from engage.__main__ import main
from tests.messaging.killing import arm


@worker_process_init.connect
def be_mortal(**_: Any) -> None:
    arm()


if __name__ == "__main__":
    main()
