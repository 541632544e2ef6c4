"""`manage.py bounce_pipe` as a process."""

import os
import subprocess
import sys

import pytest

from engage.local.bootstrap import BASE_DIR
from messaging.inbox import reports
from messaging.incoming.addresses import return_path
from messaging.models import Message, Report
from tests.messaging.conftest import make_message
from tests.messaging.incoming.letters import DOMAIN, bounce_of, letter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def message(transactional_db: None) -> Message:
    return make_message()


def piped(mail: bytes, *recipients: str, database_url: str, **environment: str) -> int:
    surroundings = {"DATABASE_URL": database_url, "BOUNCE_DOMAIN": DOMAIN, "REPORT_MAX_BYTES": "100000"} | environment
    done = subprocess.run(
        [sys.executable, "manage.py", "bounce_pipe", *recipients],
        input=mail, cwd=BASE_DIR, env=os.environ | surroundings, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode


def test_a_bounce_is_kept_and_becomes_a_status(message: Message, database_url: str) -> None:
    mail = b"From MAILER-DAEMON  Tue Nov  3 11:30:02 2026\n" + bounce_of(message).replace(b"\r\n", b"\n")

    assert piped(mail, return_path(message.pk), database_url=database_url) == 0
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "hard_bounce"
    report = Report.objects.get()
    assert (report.path, report.headers) == ("/pipe", {"recipients": return_path(message.pk)})


def test_the_mail_server_may_tell_the_recipient_in_the_environment(message: Message, database_url: str) -> None:
    to = return_path(message.pk)
    mail = letter("postfix_user_unknown", recipient=message.address.value)

    assert piped(mail, database_url=database_url, ORIGINAL_RECIPIENT=to, RECIPIENT="engage@localhost") == 0

    assert Report.objects.get().headers == {"recipients": to}


def test_a_longer_mail_is_read_to_its_end_and_kept_in_part(message: Message, database_url: str) -> None:
    mail = bounce_of(message) + b"x\r\n" * 100_000

    assert piped(mail, return_path(message.pk), database_url=database_url) == 0

    report = Report.objects.get()
    assert len(report.body) == 100_000
    assert report.headers["whole-size"] == str(len(mail))


def test_what_is_no_mail_and_who_is_nobody_are_refused_for_good(message: Message, database_url: str) -> None:
    assert piped(b"\n", database_url=database_url) == os.EX_DATAERR
    assert piped(bounce_of(message), f"anna@{DOMAIN}", database_url=database_url) == os.EX_NOUSER
    assert not Report.objects.exists()


def test_without_a_database_the_mail_is_to_come_again(message: Message) -> None:
    nowhere = "postgres://nobody@127.0.0.1:1/nothing"

    assert piped(bounce_of(message), return_path(message.pk), database_url=nowhere) == os.EX_TEMPFAIL
