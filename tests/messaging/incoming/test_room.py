"""Whatever strangers mail, the disk keeps room: so much waits unread, so much is kept, and support sees the rest."""

import smtplib
from collections.abc import Callable
from itertools import count

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from messaging.inbox import hourly_counts, reports, retention
from messaging.inbox.reports import Kept
from messaging.incoming import mails
from messaging.incoming.addresses import return_path
from messaging.incoming.room import ROW_BYTES, Room, network_of
from messaging.models import Message, Report, Tally
from tests.messaging.conftest import make_message
from tests.messaging.incoming.letters import DOMAIN, bounce_of, letter
from tests.messaging.processes import Process, wait_for

Serve = Callable[..., Process]
Connect = Callable[..., smtplib.SMTP]
BOUNCE = f"bounce@{DOMAIN}"
numbers = count()


def strange(size: int = 2_000) -> bytes:
    return b"From: a@b.example\r\nSubject: Buy %d\r\n\r\n" % next(numbers) + b"x" * 70 * (size // 70) + b"\r\n"


def by(peer: str, size: int) -> Kept:
    return mails.kept(b"x" * (size - ROW_BYTES), "smtp", sender="", peer=peer)


def put_off() -> int:
    return sum(Tally.objects.filter(provider="mail").values_list("put_off", flat=True))


@pytest.mark.django_db(transaction=True)
def test_a_flood_is_told_to_come_again_until_what_waits_has_been_read(serve: Serve, connect: Connect) -> None:
    message = make_message()
    server = serve(BOUNCE_WAITING_MAX_BYTES="40000")
    client = connect()

    answers = [said_to(client, "a@b.example", BOUNCE, strange(5_000)) for _ in range(12)]

    kept = Report.objects.count()
    assert answers == ["250"] * kept + ["452 b'4.3.1 Too much mail waits to be read; try again later'"] * (12 - kept)
    assert sum(len(report.body) for report in Report.objects.all()) <= 40_000 / 4
    assert put_off() == 12 - kept
    assert server.log.read_text().count("Mail is put off") == 1

    reports.apply_pending()
    wait_for(lambda: said_to(client, "", return_path(message.pk), bounce_of(message)) == "250")
    assert "Mail is taken again" in server.log.read_text()


def said_to(client: smtplib.SMTP, sender: str, to: str, mail: bytes) -> str:
    try:
        client.sendmail(sender, [to], mail)
    except smtplib.SMTPDataError as refused:
        return f"{refused.smtp_code} {refused.smtp_error!r}"
    return "250"


@pytest.mark.django_db(transaction=True)
def test_what_comes_by_our_own_mail_server_may_take_all_the_room(serve: Serve, connect: Connect) -> None:
    serve("lmtp", BOUNCE_WAITING_MAX_BYTES="40000")
    client = connect(smtplib.LMTP)

    for _ in range(4):
        client.sendmail("a@b.example", [BOUNCE], strange(5_000))

    assert Report.objects.count() == 4


@pytest.mark.django_db
def test_one_network_leaves_room_to_the_others(settings: Settings) -> None:
    settings.BOUNCE_WAITING_MAX_BYTES = 40_000
    room = Room()

    flood = [room.takes(by("2001:db8::1", 9_000)), room.takes(by("2001:db8::2:2", 9_000))]

    assert flood == [True, False]
    assert [room.takes(by(f"192.0.2.{number}", 9_000)) for number in range(4)] == [True, True, True, False]


@pytest.mark.django_db
def test_a_mail_longer_than_all_the_room_comes_in_alone(settings: Settings) -> None:
    settings.BOUNCE_WAITING_MAX_BYTES = 10_000
    room = Room()

    assert [room.takes(by("192.0.2.1", 50_000)), room.takes(by("192.0.2.2", 5_000)), room.is_full()] == [
        True, False, True,
    ]  # fmt: skip


def test_of_ipv6_a_64_is_one_network() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert (network_of("192.0.2.1"), network_of("unix")) == ("192.0.2.1/32", "")


@pytest.mark.django_db
def test_of_mail_that_is_nothing_of_ours_the_newest_stay_and_the_rest_is_counted(settings: Settings) -> None:
    settings.BOUNCE_OTHER_MAX = 3
    message = make_message()
    reports.keep_one(mails.kept(bounce_of(message), "smtp", recipients=[return_path(message.pk)]))
    for _ in range(8):
        reports.keep_one(mails.kept(strange(), "smtp"))
    # A bounce of nobody's mail, and one that waits for its message.
    reports.keep_one(mails.kept(letter("postfix_user_unknown", recipient="nobody@elsewhere.example"), "smtp"))
    reports.apply_pending()
    newest = Report.objects.order_by("-pk").values_list("pk", flat=True)[:3]
    expected = {*newest, Report.objects.earliest("pk").pk}
    unread = mails.kept(strange(), "smtp")
    reports.keep_one(unread)
    expected.add(Report.objects.latest("pk").pk)

    assert retention.drop_mail() == 6

    assert set(Report.objects.values_list("pk", flat=True)) == expected
    assert Tally.objects.get(provider="mail").dropped == 6
    assert retention.drop_mail() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("is_ours", "setting"), [(False, "BOUNCE_OTHER_MAX_BYTES"), (True, "BOUNCE_KEPT_MAX_BYTES")])
def test_so_many_bytes_of_mail_are_kept_ours_too(is_ours: bool, setting: str, settings: Settings) -> None:
    for _ in range(5):
        message = make_message()
        body, to = (bounce_of(message), [return_path(message.pk)]) if is_ours else (strange(), [BOUNCE])
        reports.keep_one(mails.kept(body, "smtp", recipients=to))
    reports.apply_pending()
    size = sum(len(report.body) + ROW_BYTES for report in Report.objects.order_by("-pk")[:2])
    setattr(settings, setting, size)

    assert retention.drop_mail() == 3

    assert Report.objects.count() == 2
    assert Message.objects.filter(status="hard_bounce").count() == (5 if is_ours else 0)


@pytest.mark.django_db
def test_other_providers_reports_are_none_of_its_business(settings: Settings) -> None:
    settings.BOUNCE_OTHER_MAX = settings.BOUNCE_OTHER_MAX_BYTES = 0
    reports.keep_one(Kept("sendgrid", b"[]", "application/json", "", {}))
    reports.apply_pending()

    assert retention.drop_mail() == 0
    assert Report.objects.exists()


@pytest.mark.django_db
def test_support_sees_how_many_were_dropped_and_put_off() -> None:
    hourly_counts.count_mail(dropped=1_234, put_off=7)
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="x"))

    page = client.get("/providers/").content.decode()

    assert "Mails dropped" in page
    assert "1,234" in page
    assert "Mails put off" in page
