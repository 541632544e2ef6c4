"""The page of a send-out and its CSV: what stands there, for whom, and where its numbers lead."""

import csv
import io
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from messaging.ledger.record import SourcedEvent
from messaging.models import Content, Message, SendOut, Stretch
from messaging.sendouts import making
from messaging.sendouts.lifecycle import start
from messaging.sendouts.outcome import exporting, finding, keeping
from messaging.sendouts.outcome.chart import chart_of
from messaging.sendouts.outcome.reading import outcome_of
from messaging.status.order import Event, Kind
from messaging.suppression.follow import apply
from tests.factories import ago, htmx, log_in, make_user
from tests.messaging.sendouts.people import Person, make_people, make_send_out

pytestmark = pytest.mark.django_db
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def sent() -> SendOut:
    """Eight emails, handed over two hours ago; what became of seven of them was reported since."""
    make_people([Person(n, True, "", False) for n in range(8)], set())
    send_out = make_send_out()
    html = '<a href="https://shop.example/a">A</a><a href="https://shop.example/b">B</a>'
    send_out.content = Content.objects.create(send_out=send_out, version=2, subject="Spring", html=html)
    send_out.save()
    start(send_out.pk)
    making.make_rows(send_out.pk)
    Message.objects.update(sent_at=ago(hours=2), provider="mx")
    SendOut.objects.update(started_at=ago(hours=2), created_at=ago(hours=3))
    first = Message.objects.order_by("pk").first()
    assert first is not None
    said = [
        (0, Kind.DELIVERED, {}), (1, Kind.OPENED, {}), (1, Kind.CLICKED, {"provider_code": "link 1"}),
        (2, Kind.OPENED, {"is_automatic": True}), (3, Kind.SOFT_BOUNCE, {"reason": "mailbox_full", "reply_code": "452"}),
        (4, Kind.HARD_BOUNCE, {"reason": "user_unknown", "reply_code": "550"}),
        (5, Kind.DEFERRED, {"reason": "greylisted", "reply_code": "451"}), (6, Kind.ACCEPTED, {}),
        (1, Kind.UNSUBSCRIBED, {"reason": "unsubscribe"}),
    ]  # fmt: skip
    events = [
        Event("p", kind, ago(minutes=90), f"{n} {kind}", first.pk + n, **more)  # type: ignore[arg-type]
        for n, kind, more in said
    ]
    apply([SourcedEvent(each) for each in events])
    keeping.look(margin=timedelta(0))
    return SendOut.objects.get()


def test_the_page_says_what_became_of_it(sent: SendOut) -> None:
    became = outcome_of(sent)

    assert became is not None
    assert (became.opened_by_people, became.opened_by_programs) == (1, 1)
    assert (became.clicks, became.clickers, became.unsubscribed, became.complained) == (1, 1, 1, 0)
    assert [(each.address, each.clicks) for each in became.links] == [
        ("https://shop.example/b", 1), ("https://shop.example/a", 0),
    ]  # fmt: skip
    assert [(each.label, each.count) for each in became.reasons] == [("User unknown", 1), ("Mailbox full", 1)]
    domain = became.domains[0]
    assert (domain.name, domain.sent, domain.delivered, domain.opened) == ("example.se", 7, 3, 2)
    assert (domain.soft, domain.hard, domain.deferred) == (1, 1, 1)
    assert became.deferred.count == 1
    assert became.deferred.last_at is not None
    assert ago(hours=-69) < became.deferred.last_at < ago(hours=-73)
    assert became.deferred.rows == [(72, 0, 1)]


def test_what_is_beyond_the_largest_domains_is_counted_together(sent: SendOut, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "DOMAINS", 0)
    keeping.recount(sent.pk)

    became = outcome_of(sent)
    assert became is not None
    assert [(each.name, each.sent) for each in became.domains] == [("", 7)]


def test_the_lines_rise_to_what_the_table_ends_with(sent: SendOut) -> None:
    chart = chart_of(sent)

    assert chart is not None
    totals = {line.name: line.total for line in chart.lines}
    assert totals == {"delivered": 1, "opened": 1, "clicked": 1, "bounced": 2}
    assert chart.rows[-1][1] == [1, 1, 1, 2]


def test_every_number_of_the_page_leads_to_its_messages(sent: SendOut) -> None:
    marketer = log_in("Marketers")
    page = marketer.get(sent.get_absolute_url()).content.decode()
    address = f"/send-outs/{sent.pk}/messages/soft_bounce/"

    assert f'href="{address}?reason=mailbox_full"' in page
    assert "Most reports come within minutes" in page
    assert "example.se" in page
    assert "p3@example.se" in marketer.get(f"{address}?reason=mailbox_full").content.decode()
    assert "p3@example.se" not in marketer.get(f"{address}?reason=mailbox_disabled").content.decode()


def test_a_list_of_a_large_send_out_reads_where_its_messages_are(
    sent: SendOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given stretches of two messages; what changed since they were counted, or was made since, is not missed."""
    for module in (keeping, finding):
        monkeypatch.setattr(module, "STRETCH", 2)
    monkeypatch.setattr(finding, "FEW", 1)
    Stretch.objects.all().delete()
    keeping.recount(sent.pk)

    def listed(status: str, reason: str = "", before: str = "") -> list[int]:
        return sorted(finding.shown_by(sent, status, reason, before).values_list("pk", flat=True))

    for status in ("opened", "delivered", "soft_bounce", "hard_bounce", "deferred", "unknown", "waiting"):
        assert listed(status) == sorted(Message.objects.filter(status=status).values_list("pk", flat=True))
    assert len(listed("soft_bounce", "mailbox_full")) == 1
    assert listed("soft_bounce", "gave_up") == listed("soft_bounce", "none") == []
    newest = Message.objects.order_by("pk").last()
    assert newest is not None
    with CaptureQueriesContext(connection) as asked:
        assert listed("hard_bounce")
    assert "hard_bounce" in asked.captured_queries[-1]["sql"]
    assert asked.captured_queries[-1]["sql"].count('"id" <') == 2  # one stretch, and the end of the send-out
    Message.objects.filter(pk=newest.pk).update(status="failed")
    keeping.hold()
    keeping.mark([newest.pk])
    assert listed("failed") == [newest.pk]
    assert listed("failed", before=str(newest.pk + 1)) == [newest.pk]


def test_the_page_counts_nothing(sent: SendOut) -> None:
    marketer = log_in("Marketers")
    marketer.get(sent.get_absolute_url())
    with CaptureQueriesContext(
        connection,
    ) as asked:
        marketer.get(f"/send-outs/{sent.pk}/outcome/", headers=htmx("outcome"))

    statements = [each["sql"] for each in asked.captured_queries]
    assert len(statements) < 14
    assert not any("messaging_message " in each or '"messaging_message"' in each for each in statements)


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


def test_the_messages_come_as_csv(sent: SendOut) -> None:
    rows = rows_of(log_in("Marketers").get(f"/send-outs/{sent.pk}/messages.csv"))

    assert len(rows) == 8
    assert rows[3]["status"] == "soft_bounce"
    assert (rows[3]["reason"], rows[3]["code"], rows[3]["address"]) == ("mailbox_full", "452", "p3@example.se")
    assert (rows[2]["opened"], rows[2]["opened_by_a_person"]) == ("yes", "no")
    assert [row["status"] for row in rows_of(log_in().get(f"/send-outs/{sent.pk}/messages.csv?status=opened"))] == [
        "opened", "opened",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["=cmd()", "@SUM(1)", "+1+1", "-2", "\tx", "\r=1", "\uff1dcmd()", "\uff20SUM(1)"])
def test_no_cell_runs_in_a_spreadsheet(sent: SendOut, name: str) -> None:
    Contact.objects.update(first_name=name)

    cells = [row["first_name"] for row in rows_of(log_in("Marketers").get(f"/send-outs/{sent.pk}/messages.csv"))]
    assert all(cell.startswith("'") for cell in cells)


def with_permissions(*names: str) -> Client:
    from django.contrib.auth.models import Permission  # noqa: PLC0415 -- used here alone

    user = make_user("")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user, backend="engage.permissions.Backend")
    return client


def test_who_may_not_see_contacts_gets_no_names_and_no_addresses(sent: SendOut) -> None:
    allowed = with_permissions("view_sendout", "view_message", "export_sendout")

    rows = rows_of(allowed.get(f"/send-outs/{sent.pk}/messages.csv"))
    assert len(rows) == 8
    assert not {"first_name", "last_name", "address", "server_said"} & rows[0].keys()


@pytest.mark.parametrize("lacks", ["view_sendout", "view_message", "export_sendout"])
def test_who_may_not_export_gets_nothing(sent: SendOut, lacks: str) -> None:
    allowed = {"view_sendout", "view_message", "export_sendout", "view_contact"} - {lacks}

    assert with_permissions(*allowed).get(f"/send-outs/{sent.pk}/messages.csv").status_code == 403
    assert Client().get(f"/send-outs/{sent.pk}/messages.csv").status_code == 302


def test_an_export_takes_no_more_memory_for_more_messages(sent: SendOut, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 200)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_message (channel, send_out_id, address_id, subject, provider, status)"
            " SELECT channel, send_out_id, address_id, '', '', 'unknown' FROM messaging_message, generate_series(1, 2500)"
        )
        cursor.execute("UPDATE messaging_progress SET last_message = (SELECT max(id) FROM messaging_message)")
    tracemalloc.start()
    try:
        pieces = exporting.as_csv(sent, is_personal=True)
        early = max(_peak_after(next(pieces)) for _ in range(5))
        late = max(_peak_after(piece) for piece in pieces)
    finally:
        tracemalloc.stop()

    assert late < 2 * early


def _peak_after(piece: bytes) -> int:
    assert piece
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    return peak
