"""`manage.py bounce_mailbox` as a process, against pymap as another: an IMAP server that shares no code with us."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection, transaction
from imapclient import IMAPClient

from messaging.inbox import reports
from messaging.incoming import mailbox as mailbox_module
from messaging.incoming.mailboxes import DONE
from messaging.models import DeliveryEvent, Message, Report
from tests.messaging.conftest import make_message
from tests.messaging.incoming.letters import bounce_of, letter, our_message_id
from tests.messaging.processes import Process, is_somebody_waiting_for_the_table, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Read = Callable[..., Process]


class Account:
    """The mailbox as its owner sees it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, what: Callable[[IMAPClient], object], folder: str = "INBOX") -> object:
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=20) as client:
            client.login("engage", "s3cret")
            client.select_folder(folder)
            return what(client)

    def put(self, *letters: bytes) -> None:
        self.ask(lambda client: [client.append("INBOX", each) for each in letters])

    def count(self, folder: str = "INBOX", criteria: str = "ALL") -> int:
        with suppress(Exception):
            return len(self.ask(lambda client: client.search(criteria), folder))  # type: ignore[arg-type]
        return 0


@pytest.fixture
def start_imap(port: int, tmp_path: Path) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []
    backend = ["dict", "--demo-user", "engage", "--demo-password", "s3cret"]
    program = str(Path(sys.executable).with_name("pymap"))

    def start() -> Process:
        log = tmp_path / f"imap-{len(started)}.log"
        started.append(Process(log, program, "--host", "127.0.0.1", "--port", str(port), "--no-tls", *backend))
        wait_for(lambda: is_answering(port))
        return started[-1]

    yield start
    for each in started:
        each.end(signal.SIGKILL)


@pytest.fixture
def imap(start_imap: Callable[[], Process]) -> Process:
    return start_imap()


@pytest.fixture
def account(imap: Process, port: int) -> Account:
    return Account(port)


@pytest.fixture
def read(run: Callable[..., Process], port: int) -> Read:
    """Starts our reader."""

    def read(options: str = "", *, password: str = "s3cret") -> Process:
        url = f"imap://engage:{password}@127.0.0.1:{port}/INBOX?tls=no&name=bounces{options}"
        return run("bounce_mailbox", IMAP_URLS=url)

    return read


def is_answering(port: int) -> bool:
    with suppress(Exception), IMAPClient("127.0.0.1", port, ssl=False, timeout=5):
        return True
    return False


@pytest.fixture
def message(transactional_db: None) -> Message:
    return make_message()


def test_what_lies_there_and_what_comes_is_kept_and_moved_away(account: Account, read: Read, message: Message) -> None:
    account.put(bounce_of(message), letter("spam"))
    reader = read()
    wait_for(lambda: account.count(DONE) == 2)
    assert account.count() == 0

    # It waits in IDLE now.
    other = make_message()
    account.put(letter("postfix_user_unknown", recipient=other.address.value, returned=our_message_id(other)))
    wait_for(lambda: account.count(DONE) == 3)
    reports.apply_pending()

    assert set(Message.objects.values_list("status", flat=True)) == {"hard_bounce"}
    assert set(Report.objects.values_list("state", "path", "events")) == {
        ("applied", "/imap/bounces", 0), ("applied", "/imap/bounces", 1),
    }  # fmt: skip
    assert "arrived" in Report.objects.earliest("pk").headers
    assert reader.end() == 0
    assert not any(secret in reader.log.read_text() for secret in ("s3cret", "bounce+", message.address.value))


def test_without_a_folder_to_move_to_they_are_marked_as_seen(account: Account, read: Read, message: Message) -> None:
    account.put(bounce_of(message))
    read("&done=")
    wait_for(lambda: account.count(criteria="SEEN") == 1)
    account.put(letter("spam"))
    wait_for(lambda: account.count(criteria="SEEN") == 2)

    assert Report.objects.count() == 2


def test_killed_before_the_commit_the_mail_still_lies_there(account: Account, read: Read, message: Message) -> None:
    account.put(bounce_of(message))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE messaging_report IN EXCLUSIVE MODE")
        reader = read()
        wait_for(is_somebody_waiting_for_the_table)
        reader.end(signal.SIGKILL)
    assert (account.count(criteria="UNSEEN"), account.count(DONE)) == (1, 0)

    read()
    wait_for(lambda: account.count(DONE) == 1)
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "hard_bounce"


def test_a_mail_that_is_read_twice_counts_once(account: Account, read: Read, message: Message) -> None:
    # As after a kill between the commit and the move.
    account.put(bounce_of(message), bounce_of(message))
    read()
    wait_for(lambda: account.count(DONE) == 2)
    reports.apply_pending()

    assert (Report.objects.count(), DeliveryEvent.objects.count()) == (2, 1)


def test_when_the_server_is_restarted_it_comes_back(
    account: Account, imap: Process, read: Read, message: Message, start_imap: Callable[[], Process]
) -> None:
    reader = read()
    reader.wait_for("reading INBOX")
    imap.end(signal.SIGKILL)
    reader.wait_for("trying again")

    start_imap()
    account.put(bounce_of(message))
    wait_for(lambda: account.count(DONE) == 1)

    assert Report.objects.count() == 1


def test_a_huge_mail_is_kept_in_part(account: Account, read: Read, message: Message) -> None:
    huge = bounce_of(message) + b"x" * 70 * 1000 + b"\r\n" + (b"y" * 70 + b"\r\n") * 70_000
    account.put(huge)
    read()
    wait_for(lambda: account.count(DONE) == 1)
    reports.apply_pending()

    report = Report.objects.get()
    assert len(report.body) == mailbox_module.LONGEST < len(huge)
    assert report.headers["whole-size"] == str(len(huge))
    message.refresh_from_db()
    assert message.status == "hard_bounce"


def test_a_wrong_password_is_told_and_not_tried_again_soon(account: Account, read: Read) -> None:
    reader = read(password="wr0ng")
    reader.wait_for("trying again in 60.0 seconds")

    said = reader.log.read_text()
    assert "the log-in is refused" in said
    assert "check IMAP_URLS" in said
    assert "wr0ng" not in said


def test_without_settings_it_says_what_to_set(run: Callable[..., Process]) -> None:
    reader = run("bounce_mailbox")

    assert reader.running.wait(20) == 1
    assert "Name one in IMAP_URLS: docs/providers/mail.md" in reader.log.read_text()
