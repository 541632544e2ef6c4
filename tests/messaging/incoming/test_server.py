"""`manage.py bounce_server` as a process, spoken to over real sockets."""

import signal
import smtplib
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
from django.db import connection, transaction

from contacts.models import Block
from messaging.inbox import reports
from messaging.incoming.addresses import return_path
from messaging.models import DeliveryEvent, Message, Report
from tests.messaging.conftest import make_message
from tests.messaging.incoming.letters import DOMAIN, bounce_of, letter
from tests.messaging.processes import Process, is_somebody_waiting_for_the_table, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Serve = Callable[..., Process]
Connect = Callable[..., smtplib.SMTP]


@pytest.fixture
def message(transactional_db: None) -> Message:
    return make_message()


def test_a_bounce_makes_the_message_bounce_and_blocks_the_address(
    serve: Serve, connect: Connect, message: Message
) -> None:
    server = serve()

    connect().sendmail("", [return_path(message.pk)], bounce_of(message))
    reports.apply_pending()

    message.refresh_from_db()
    assert (message.status, message.reason, message.code) == ("hard_bounce", "user_unknown", "550 5.1.1")
    assert Block.objects.get().address == message.address
    assert server.end() == 0


def test_a_return_path_that_was_changed_to_capitals_is_known(serve: Serve, connect: Connect, message: Message) -> None:
    serve()

    connect().sendmail("", [return_path(message.pk).upper()], bounce_of(message))
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "hard_bounce"


def test_only_our_own_addresses_are_taken(serve: Serve, connect: Connect, message: Message) -> None:
    serve()
    client = connect()
    client.ehlo()
    client.mail("")
    client.command_encoding = "utf-8"
    ours, of_another = return_path(message.pk), return_path(message.pk).replace(DOMAIN, "example.com")
    forged = ours.replace(f"+{message.pk}-", f"+{message.pk + 1}-")

    assert client.rcpt(ours)[0] == client.rcpt(f"bounce@{DOMAIN}")[0] == client.rcpt(f"postmaster@{DOMAIN}")[0] == 250
    assert client.rcpt(f"anna@{DOMAIN}") == (550, b"5.1.1 There is no such address here")
    assert client.rcpt("Postmaster")[0] == 250
    assert client.rcpt(forged)[0] == client.rcpt("anna")[0] == client.rcpt(f"\u00e5sa@{DOMAIN}")[0] == 550
    assert client.rcpt(of_another) == (550, b"5.7.1 We take mail for other domains only")


def test_what_it_can_is_said_at_the_start(serve: Serve, connect: Connect) -> None:
    serve(REPORT_MAX_BYTES="20000")
    client = connect()
    client.ehlo()

    assert client.esmtp_features == {"size": "20000", "8bitmime": "", "smtputf8": "", "pipelining": ""}
    assert client.docmd("MAIL", "FROM:<> SIZE=20001")[0] == 552
    assert client.docmd("MAIL", "FROM:<> SIZE=20000 BODY=8BITMIME SMTPUTF8")[0] == 250


def test_a_mail_that_is_too_big_is_refused_and_the_session_goes_on(
    serve: Serve, connect: Connect, message: Message
) -> None:
    serve(REPORT_MAX_BYTES="20000")
    client, to = connect(), [return_path(message.pk)]

    assert said_after_data(client, to, b"x\r\n" * 10_000) == [(552, b"5.3.4 The mail is too big")]
    assert said_after_data(client, to, bounce_of(message)) == [(250, b"2.0.0 Kept")]
    assert Report.objects.count() == 1


def test_a_long_line_and_any_byte_come_through_as_they_are(serve: Serve, connect: Connect, message: Message) -> None:
    serve()
    mail = bounce_of(message) + b"x" * 200_000 + b"\r\n..\r\n" + bytes(range(14, 256)) + b"\0\r\n"

    connect().sendmail("", [return_path(message.pk)], mail)

    assert bytes(Report.objects.get().body) == mail


def test_lmtp_answers_for_each_recipient(serve: Serve, connect: Connect, message: Message) -> None:
    serve("lmtp", REPORT_MAX_BYTES="20000")
    client, other = connect(smtplib.LMTP), make_message()
    to = [return_path(message.pk), return_path(other.pk)]

    answers = said_after_data(client, to, letter("spam"))
    too_big = said_after_data(client, to, b"x\r\n" * 10_000)

    assert answers == [(250, b"2.0.0 Kept")] * 2
    assert too_big == [(552, b"5.3.4 The mail is too big")] * 2
    assert client.noop()[0] == 250
    report = Report.objects.get()
    assert report.headers == {"recipients": " ".join(to), "sender": ""}
    assert (report.provider, report.content_type, report.path) == ("mail", "message/rfc822", "/lmtp")


def said_after_data(client: smtplib.SMTP, to: list[str], mail: bytes) -> list[tuple[int, bytes]]:
    client.ehlo_or_helo_if_needed()
    client.mail("")
    for each in to:
        client.rcpt(each)
    client.docmd("DATA")
    client.send(mail + b".\r\n")
    return [client.getreply() for _ in to]


def test_over_a_unix_socket(run: Callable[..., Process], message: Message) -> None:
    path = f"/tmp/engage-{message.pk}.sock"
    run("bounce_server", BOUNCE_LISTEN=f"lmtp://{path}").wait_for("Bounce mail is taken at")

    client = smtplib.LMTP(path)
    client.sendmail("", [return_path(message.pk)], bounce_of(message))

    assert Report.objects.count() == 1


def test_commands_may_come_all_at_once(serve: Serve, port: int, message: Message) -> None:
    serve()
    said = f"EHLO mx.example.org\r\nMAIL FROM:<>\r\nRCPT TO:<{return_path(message.pk)}>\r\nDATA\r\n".encode()

    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(said + bounce_of(message) + b".\r\nQUIT\r\n")
        heard = b"".join(iter(lambda: line.recv(4096), b""))

    assert [each[:3] for each in heard.splitlines()][-4:] == [b"250", b"354", b"250", b"221"]
    assert Report.objects.count() == 1


def test_killed_before_the_commit_nothing_was_promised_and_the_mail_comes_again(
    serve: Serve, connect: Connect, message: Message
) -> None:
    server, client = serve(), connect()
    with transaction.atomic(), connection.cursor() as cursor, ThreadPoolExecutor() as pool:
        cursor.execute("LOCK TABLE messaging_report IN EXCLUSIVE MODE")
        sending = pool.submit(client.sendmail, "", [return_path(message.pk)], bounce_of(message))
        wait_for(is_somebody_waiting_for_the_table)
        server.end(signal.SIGKILL)
        assert isinstance(sending.exception(20), smtplib.SMTPServerDisconnected)
    sleep(0.5)
    assert not Report.objects.exists()

    serve()
    connect().sendmail("", [return_path(message.pk)], bounce_of(message))
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "hard_bounce"


def test_when_the_database_takes_nothing_the_other_side_is_to_come_again(
    serve: Serve, connect: Connect, message: Message
) -> None:
    serve()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE messaging_report RENAME TO away")
    try:
        client = connect()
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("", [return_path(message.pk)], bounce_of(message))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO messaging_report")

    client.sendmail("", [return_path(message.pk)], bounce_of(message))
    assert refused.value.smtp_code == 451
    assert Report.objects.count() == 1


def test_a_mail_that_comes_twice_counts_once(serve: Serve, connect: Connect, message: Message) -> None:
    serve()
    for way in (b"Received: by mx1; now\r\n", b"Received: by mx2\r\n\twith ESMTP; later\r\nReturn-Path: <>\r\n"):
        connect().sendmail("", [return_path(message.pk)], way + bounce_of(message))

    reports.apply_pending()

    assert (Report.objects.count(), DeliveryEvent.objects.count()) == (2, 1)


def test_many_at_once_are_all_kept(serve: Serve, port: int) -> None:
    serve()
    messages = [make_message() for _ in range(200)]

    def send(some: list[Message]) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            for each in some:
                client.sendmail("", [return_path(each.pk)], bounce_of(each))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(send, [messages[start::20] for start in range(20)]))
    reports.apply_pending()

    assert Message.objects.filter(status="hard_bounce").count() == 200


def test_a_stop_lets_the_mail_that_is_coming_in_arrive(serve: Serve, connect: Connect, message: Message) -> None:
    server, idle, client = serve(), connect(), connect()
    client.ehlo()
    client.mail("")
    client.rcpt(return_path(message.pk))
    client.docmd("DATA")
    client.send(bounce_of(message))

    server.running.terminate()
    assert idle.getreply()[0] == 421
    client.send(b".\r\n")

    assert client.getreply() == (250, b"2.0.0 Kept")
    assert server.running.wait(20) == 0
    assert Report.objects.count() == 1


def test_tls_where_there_is_a_certificate(serve: Serve, connect: Connect, message: Message, ca: str) -> None:
    serve(BOUNCE_TLS_CERT=ca)
    client = connect()

    client.starttls(context=ssl.create_default_context(cafile=ca))
    client.sendmail("", [return_path(message.pk)], bounce_of(message))

    client.ehlo()
    assert "auth" not in client.esmtp_features
    assert Report.objects.count() == 1


def test_the_log_holds_no_addresses_and_no_mail(serve: Serve, connect: Connect, message: Message) -> None:
    server = serve()
    connect().sendmail("", [return_path(message.pk)], bounce_of(message))
    server.end()

    said = server.log.read_text()
    assert "bounce+" not in said
    assert message.address.value not in said


def test_without_settings_it_says_what_to_set(run: Callable[..., Process]) -> None:
    server = run("bounce_server")

    assert server.running.wait(20) == 1
    assert "Set BOUNCE_DOMAIN and BOUNCE_LISTEN: docs/providers/mail.md" in server.log.read_text()
