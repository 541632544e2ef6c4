"""How a Celery worker and the beat start: by Celery's own options, without what they have no use for."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from engage.local import run
from engage.local.bootstrap import BASE_DIR

# What each process of a worker would hold, and what for it is there.
NEEDLESS: Final = {
    "boto3": "Amazon's API",
    "prompt_toolkit": "Celery's shell",
    "pygments": "the colours of `celery inspect`",
    "dns.resolver": "sending without a relay",
    "email_validator": "what people type",
    "phonenumbers": "what people type",
    "messaging.delivery.transports.smtp": "a way out that is not set up",
    "messaging.delivery.transports.esp": "a way out that is not set up",
    "messaging.delivery.transports.http_sms": "a way out that is not set up",
    "cffi": "one call of the kernel",
    "charset_normalizer": "guessing at encodings",
    "cryptography.x509": "checking the signatures of SNS",
    "prometheus_client": "the page /metrics",
    "engage.urls": "pages",
    "contacts.admin": "pages",
    "contacts.views": "pages",
    "messaging.support.messages": "pages",
    "messaging.card.views": "pages",
    "messaging.bounces.mail.reading": "bounces that come as mail",
}
# Starts as it does for us, and ends where it would fork.
LOOK: Final = """
import sys
from engage import __main__
from celery.signals import worker_before_create_process
from os import _exit, write

def look(**_):
    write(1, " ".join(name for name, module in sys.modules.items() if module).encode())
    _exit(0)

worker_before_create_process.connect(look, weak=False)
__main__.main()
"""
# What a process of a worker tells the kernel at its start, and by what.
DIE_WITH_PARENT: Final = """
import sys
import engage
from billiard.util import get_pdeathsig
from celery.platforms import set_pdeathsig

set_pdeathsig("SIGKILL")
print(get_pdeathsig(), "cffi" in sys.modules)
"""
# Whether the pages of support are loaded, and so checked: before the checks, and after.
CHECK: Final = """
import sys
import django
from django.core.checks import run_checks

django.setup()
print("contacts.admin" in sys.modules)
run_checks(tags=["admin"])
print("contacts.admin" in sys.modules)
"""


def test_a_worker_process_holds_nothing_that_it_has_no_use_for() -> None:
    command = run.worker()
    options = command[command.index("worker") :]

    loaded = set(told_by(["-c", LOOK, *options]).stdout.split())

    assert {"messaging.tasks", "messaging.providers.sendgrid.webhook", "celery.worker.consumer"} <= loaded
    assert sorted(loaded & NEEDLESS.keys()) == []


def test_a_worker_process_dies_with_its_parent_though_cffi_is_left_out() -> None:
    assert told_by(["-c", DIE_WITH_PARENT]).stdout.split() == ["9", "False"]


@pytest.mark.parametrize("command", [run.worker(), run.beat()], ids=["worker", "beat"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_worker_and_beat_end_by_themselves_when_asked(
    command: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"  # written once signals are heard
    schedule = ["--schedule", str(tmp_path / "schedule")] if "beat" in command else []
    with subprocess.Popen([sys.executable, *command, *schedule, "--pidfile", str(pid)], cwd=BASE_DIR) as process:
        try:
            while not pid.exists():
                assert process.poll() is None
                time.sleep(0.05)
            time.sleep(1)
            process.send_signal(number)
            assert process.wait(30) >= 0  # not by the signal; Celery says 1 after Ctrl-C
        finally:
            process.kill()


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_an_option_that_celery_does_not_know_is_refused(command: str) -> None:
    ended = told_by([*run.celery(command), "--concurency", "2"])

    assert ended.returncode == 2
    assert "No such option" in ended.stderr


def test_the_pages_of_support_are_checked_though_no_worker_loads_them() -> None:
    assert told_by(["-c", CHECK]).stdout.split() == ["False", "True"]


def told_by(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], check=False, cwd=BASE_DIR, capture_output=True, text=True)
