"""Messages, reports and events in the Django admin: found fast, shown whole, replayed, never edited."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.history import save_contact
from contacts.models import Channel, Contact
from engage import large_tables
from messaging.inbox import reports
from messaging.models import DeliveryEvent, Report, SendOut, Tally
from messaging.status.order import Kind
from messaging.support.messages import DeliveryEventAdmin
from messaging.support.search import find_messages
from messaging.support.words import NEED_A_LOOK
from messaging.tracking.tokens import token_of
from tests.factories import ago, hard_bounce, make_contact, make_message, said
from tests.messaging.inbox.test_reports import fact
from tests.staff import staff, superuser

pytestmark = pytest.mark.django_db

LARGE: Final = ("message", "deliveryevent", "report")
LISTS: Final = [
    *(f"messaging/{model}" for model in ("message", "sendout", "report", "deliveryevent", "tally")),
    *(f"contacts/{model}" for model in ("contact", "address", "block", "change")),
]
QUESTIONS: Final = [
    *((place, {}) for place in LISTS),
    *((place, {"q": "7"}) for place in LISTS),
    *((place, {"q": "anna@example.se"}) for place in LISTS if place != "messaging/tally"),
    *(("messaging/report", {"state": state}) for state in (*NEED_A_LOOK, "inbox")),
    ("messaging/report", {"provider": "sendgrid"}),
    ("messaging/report", {"provider": "sendgrid", "state": "unreadable"}),
    ("messaging/message", {"status__exact": "hard_bounce", "channel__exact": "email"}),
    ("messaging/message", {"p": "100"}),
]


@pytest.fixture
def support() -> Client:
    return staff()


def kept(facts: object, **fields: Any) -> Report:
    body = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    fields = {"provider": "sendgrid", "content_type": "application/json", "next_at": timezone.now()} | fields
    return Report.objects.create(body=body, **fields)


def applied(*facts: object, **fields: Any) -> Report:
    report = kept(list(facts), **fields)
    reports.apply_pending()
    report.refresh_from_db()
    return report


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[getattr(row, "place", row.pk)])


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def listed(client: Client, place: str, **query: str) -> list[Any]:
    answer = client.get(f"/admin/{place}/", query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def fill(number: int) -> None:
    """As many of everything that the lists show."""
    for _ in range(number):
        message = make_message(make_contact(mobile=f"+46701{number:02}{Contact.objects.count():04}"), hard_bounce())
        applied(fact(message, "delivered"))
    Tally.objects.create(provider=f"p{number}", hour=timezone.now())
    SendOut.objects.create(name="Letter", channel=Channel.EMAIL)


def asked(client: Client, place: str, query: dict[str, str]) -> Iterator[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(f"/admin/{place}/", query).status_code == 200
    return (found["sql"] for found in captured.captured_queries)


@pytest.mark.parametrize(("place", "query"), QUESTIONS)
def test_a_list_asks_as_much_for_many_rows_as_for_few(support: Client, place: str, query: dict[str, str]) -> None:
    fill(2)
    few = len(list(asked(support, place, query)))
    fill(8)

    many = len(list(asked(support, place, query)))

    assert many <= max(few, 4) + 4
    assert many <= 14


@pytest.mark.parametrize(("place", "query"), QUESTIONS)
def test_no_list_counts_skips_or_reads_a_large_table(support: Client, place: str, query: dict[str, str]) -> None:
    fill(3)
    statements = [sql for sql in asked(support, place, query) if sql.startswith("SELECT") and "messaging_" in sql]

    assert not [sql for sql in statements if "OFFSET" in sql]
    assert not [sql for sql in statements if "COUNT(*)" in sql and "LIMIT" not in sql]
    with connection.cursor() as cursor:
        # The few rows of a test are read whole wherever that is allowed; where it is not, only an index can help.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in statements:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert not [table for table in LARGE if f"Seq Scan on messaging_{table}" in plan], plan


def test_a_list_goes_on_from_page_to_page(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_tables.LargeTableAdmin, "list_per_page", 2)
    made = [make_message(make_contact()) for _ in range(5)]
    seen, query = [], ""
    while True:
        answer = support.get(f"/admin/messaging/message/{query}")
        seen += answer.context["cl"].result_list
        link = re.search(r'href="(\?p=\d+)" rel="next"', answer.content.decode())
        if link is None:
            break
        query = link[1]

    assert seen == made[::-1]


def test_a_filter_without_an_index_looks_back_a_window_at_a_time(
    support: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_tables, "WINDOW", 3)
    old, *_others = [make_message(make_contact(), channel=channel) for channel in (Channel.SMS, *[Channel.EMAIL] * 4)]

    answer = support.get("/admin/messaging/message/", {"channel__exact": "sms"})
    assert answer.context["cl"].result_list == []
    assert "Look further back" in answer.content.decode()
    further = support.get("/admin/messaging/message/" + answer.context["cl"].older_link)

    assert further.context["cl"].result_list == [old]
    assert further.context["cl"].older is None or old.pk > 1


def test_an_index_finds_the_odd_report_however_old(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_tables, "WINDOW", 1)
    odd = applied("nonsense", provider="nobody")
    applied(fact(make_message(make_contact()), "delivered"))
    applied(fact(make_message(make_contact()), "delivered"))

    assert listed(support, "messaging/report", state="unreadable") == [odd]


def test_the_index_of_reports_holds_the_states_that_the_filter_offers() -> None:
    index = next(index for index in Report._meta.indexes if index.name == "report_look")

    assert index.condition is not None
    assert set(index.condition.children[0][1]) == set(NEED_A_LOOK)


@pytest.mark.parametrize("query", ["diagnostic__contains=x", "contact__email__startswith=a", "body__isnull=0"])
def test_free_lookups_are_refused(support: Client, query: str) -> None:
    assert support.get(f"/admin/messaging/message/?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["o=1.2", "o=-3", "all=", "p=nonsense", "p=99999999999999999999", "_facets=True", "e=1"]
)
def test_nobody_can_order_or_count_a_large_table(support: Client, query: str) -> None:
    made = [make_message(make_contact()) for _ in range(2)]

    answer = support.get(f"/admin/messaging/message/?{query}")

    assert answer.context["cl"].result_list == made[::-1]


@pytest.mark.parametrize(
    "typed",
    [
        "{pk}",
        "#{pk}",
        "{token}",
        "<{token}@mail.example.se>",
        "sg-1",
        "sg-1.filter0001",
        "{guid}",
        "ANNA@example.se",
        "070-123 45 67",
    ],
)
def test_support_finds_a_message(support: Client, typed: str) -> None:
    anna = make_contact(email="anna@example.se", mobile="+46701234567")
    message = make_message(anna, provider_message_id="sg-1")
    make_message(make_contact(), provider_message_id="sg-2")
    query = typed.format(pk=message.pk, token=token_of(message.pk), guid=anna.guid)

    assert listed(support, "messaging/message", q=query) == [message]


@pytest.mark.parametrize("typed", ["anna.old@example.se", "<Anna.Old@example.se>", "mailto:anna.old@example.se"])
def test_support_finds_what_went_to_an_address_that_the_contact_has_no_more(support: Client, typed: str) -> None:
    anna = make_contact(email="anna.old@example.se")
    old = make_message(anna)
    anna.email = "anna.new@example.se"
    save_contact(anna, actor_id=None)
    make_message(anna)

    assert find_messages(typed) == [old.pk]
    assert len(find_messages("anna.new@example.se")) == 2
    assert listed(support, "messaging/message", q=typed) == [old]


def test_a_token_of_another_installation_finds_nothing(support: Client) -> None:
    message = make_message(make_contact())

    assert listed(support, "messaging/message", q=f"{message.pk}-aaaaaaaaaaaaaaaa") == []


@pytest.mark.parametrize("typed", ["'", "%", "a@b@c", "+46", "9" * 30, "-" * 300, "\ud800"])
def test_any_question_gets_an_answer(support: Client, typed: str) -> None:
    for place in ("message", "sendout", "report", "deliveryevent"):
        query = {"q": typed.encode("utf-8", "replace")}
        assert support.get(f"/admin/messaging/{place}/", query).status_code == 200


def test_a_message_shows_its_events_as_recorded_its_reports_and_its_card(support: Client) -> None:
    message = make_message(make_contact(), said(Kind.DELIVERED, ago(minutes=5)), said(Kind.DEFERRED, ago(minutes=9)))
    report = applied(fact(message, "open"))

    page = support.get(page_of(message)).content.decode()

    told = text_of(page)
    assert (
        told.index("→ Delivered") < told.index("The final word was known already") < told.index("→ Delivered (Opened)")
    )
    assert page_of(report) in page
    assert message.contact is not None
    assert str(message.contact.guid) in page
    assert token_of(message.pk) in page


def test_a_message_of_a_removed_contact_still_shows(support: Client) -> None:
    message = make_message(make_contact())
    Contact.objects.all().delete()

    assert support.get(page_of(message)).status_code == 200


def test_a_send_out_shows_some_of_its_messages(support: Client) -> None:
    send_out = SendOut.objects.create(name="Letter", channel=Channel.EMAIL)
    message = make_message(make_contact(), send_out=send_out)

    assert page_of(message) in support.get(page_of(send_out)).content.decode()


def test_events_are_listed_for_a_question_only(support: Client) -> None:
    message = make_message(make_contact(), said(Kind.ACCEPTED), said(Kind.DELIVERED))
    make_message(make_contact(), said(Kind.ACCEPTED))

    assert listed(support, "messaging/deliveryevent") == []
    assert [event.kind for event in listed(support, "messaging/deliveryevent", q=str(message.pk))] == [
        "accepted",
        "delivered",
    ]


def test_a_list_of_events_leads_to_their_pages(support: Client) -> None:
    message = make_message(make_contact(), said(Kind.DELIVERED))

    page = support.get("/admin/messaging/deliveryevent/", {"q": str(message.pk)}).content.decode()

    assert f'href="{page_of(message.events.get())}?' in page


@pytest.mark.parametrize("place", ["1", "1.x", "x.00000000-0000-0000-0000-000000000001", "99999999999999999999.1", "."])
def test_what_is_no_place_of_an_event_has_no_page(support: Client, place: str) -> None:
    assert support.get(f"/admin/messaging/deliveryevent/{place}/change/").status_code == 302


def test_more_events_than_fit_are_said_so(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeliveryEventAdmin, "list_per_page", 1)
    message = make_message(make_contact(), said(Kind.ACCEPTED), said(Kind.DELIVERED))

    page = support.get("/admin/messaging/deliveryevent/", {"q": str(message.pk)}).content.decode()

    assert "There are more than fit on this page." in page
    assert 'rel="next"' not in page


def test_every_event_has_its_page(support: Client) -> None:
    message = make_message(make_contact(), said(Kind.COMPLAINED, reason="complaint"), hard_bounce())
    report = applied(fact(message, "delivered"))

    for event in message.events.all():
        page = support.get(page_of(event)).content.decode()
        assert page_of(message) in page
    assert page_of(report) in support.get(page_of(message.events.get(report=report))).content.decode()


def test_a_report_shows_what_it_says_and_what_of_it_is_recorded(support: Client) -> None:
    message = make_message(make_contact())
    first = applied(fact(message, "delivered"))
    second = applied(
        fact(message, "delivered"), fact(message, "open", 2), {"engage": "0-x", "event": "open", "timestamp": 1}
    )

    page = support.get(page_of(second)).content.decode()

    told = text_of(page)
    assert "Delivered" in told
    assert f"Yes, from report #{first.pk}" in told
    assert re.search(r"Opened .* Yes ", told)
    assert re.search(r"Opened .* No ", told)
    assert page_of(message) in page
    assert page_of(first) in page


def test_what_a_report_said_before_the_rules_changed_still_shows(support: Client) -> None:
    message = make_message(make_contact())
    report = applied(fact(message, "delivered"))
    DeliveryEvent.objects.update(key="00000000-0000-0000-0000-000000000001")

    told = text_of(support.get(page_of(report)).content.decode())

    assert "Yes, as it read before the rules changed" in told


@pytest.mark.parametrize(
    "body", [b"", b"\xff\0", b'"\\ud800"', b"[1, {}, null]", b"[" * 5_000, b"{}", b'[{"event":"delivered"}]']
)
@pytest.mark.parametrize("provider", ["sendgrid", "twilio", "gone"])
def test_any_report_has_its_page(support: Client, body: bytes, provider: str) -> None:
    report = kept(body, provider=provider)

    assert support.get(page_of(report)).status_code == 200


def test_a_body_cannot_smuggle_anything_into_the_page(support: Client) -> None:
    report = kept({"a": "<script>alert(1)</script>"}, error="<b>bold</b>\nsecond line", path='/"><img src=x>')

    for page in (support.get(page_of(report)), support.get("/admin/messaging/report/")):
        assert not re.search(r"<script>alert|<b>bold|<img src=x", page.content.decode())


def test_a_long_body_is_cut_and_downloaded_whole(support: Client) -> None:
    body = json.dumps([{"a": "x" * 50_000}]).encode()
    report = kept(body)
    url = reverse("admin:messaging_report_body", args=[report.pk])

    page = support.get(page_of(report)).content.decode()
    answer = support.get(url)

    assert len(page) < 45_000
    assert page.count(url) == 2
    assert answer.content == body
    assert answer.headers["Content-Disposition"] == f'attachment; filename="report-{report.pk}.bin"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert staff("Marketers").get(url).status_code == 403


def test_the_list_shows_the_first_line_of_the_error_and_reads_no_body(support: Client) -> None:
    kept(b"", error="Not JSON: line 1\nand more")
    with CaptureQueriesContext(connection) as captured:
        page = support.get("/admin/messaging/report/").content.decode()

    assert "Not JSON: line 1" in page
    assert "and more" not in page
    assert not [found for found in captured.captured_queries if '"messaging_report"."body"' in found["sql"]]


def test_a_report_is_replayed_and_what_was_recorded_stays(support: Client) -> None:
    message = make_message(make_contact())
    report = applied(fact(message, "delivered"))

    answer = support.post(reverse("admin:messaging_report_replay", args=[report.pk]), follow=True)

    assert "1 report is read and applied again." in answer.content.decode()
    report.refresh_from_db()
    assert (report.state, report.tries) == ("new", 0)
    reports.apply_pending()
    report.refresh_from_db()
    assert (report.state, DeliveryEvent.objects.count()) == ("applied", 1)
    assert LogEntry.objects.get().object_id == str(report.pk)
    who = LogEntry.objects.get().user.get_username()
    assert re.search(rf"Replays When Who .* {who}", text_of(support.get(page_of(report)).content.decode()))


def test_many_reports_are_replayed_at_once(support: Client) -> None:
    made = [applied("nonsense") for _ in range(3)]
    chosen = [report.pk for report in made[:2]]
    form = {"action": "replay_selected", "_selected_action": chosen, "index": "0"}

    answer = support.post("/admin/messaging/report/?state=unreadable", form, follow=True)

    assert "2 reports are read and applied again." in answer.content.decode()
    assert sorted(Report.objects.filter(state="new").values_list("pk", flat=True)) == chosen


def test_replay_needs_its_permission_and_a_post(support: Client) -> None:
    report = applied("nonsense")
    url, viewer = reverse("admin:messaging_report_replay", args=[report.pk]), staff("Marketers")

    assert viewer.post(url).status_code == 403
    assert "/login/" in (stranger := Client().post(url)).content.decode()
    assert stranger.status_code == 403
    assert support.get(url).status_code == 405
    assert support.post(reverse("admin:messaging_report_replay", args=[report.pk + 1])).status_code == 404
    report.refresh_from_db()
    assert report.state == "unreadable"


@pytest.mark.parametrize("enter", [staff, superuser])
def test_nobody_makes_changes_or_removes_what_happened(enter: Any) -> None:
    message = make_message(
        make_contact(), said(Kind.DELIVERED), send_out=SendOut.objects.create(name="L", channel="email")
    )
    rows = [
        message,
        message.send_out,
        message.events.get(),
        applied("nonsense"),
        Tally.objects.create(provider="p", hour=timezone.now()),
    ]
    client = enter()

    for row in rows:
        assert row is not None
        place = f"/admin/messaging/{row._meta.model_name}/"
        assert client.get(page_of(row)).status_code == 200
        for action in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
            assert client.post(place + action, {"post": "yes", "status": "delivered"}).status_code == 403
        client.post(place, {"action": "delete_selected", "_selected_action": row.pk, "post": "yes", "index": "0"})
        row.refresh_from_db()


def test_marketers_on_the_staff_see_no_reports() -> None:
    message = make_message(make_contact())
    report = applied(fact(message, "delivered"))
    client = staff("Marketers")

    assert client.get(page_of(report)).status_code == 403
    assert client.get("/admin/messaging/report/").status_code == 403
    page = client.get(page_of(message)).content.decode()
    assert "<h2>Reports</h2>" not in page
    assert "Reports that may want a look" not in client.get("/admin/").content.decode()


def test_the_first_page_says_how_many_reports_want_a_look(support: Client) -> None:
    applied("nonsense")

    assert "Could not be read 1" in text_of(support.get("/admin/").content.decode())


def test_the_lists_name_what_support_asks_for_most_first(support: Client) -> None:
    apps = support.get("/admin/").context["app_list"]

    assert [model["object_name"] for app in apps for model in app["models"]] == [
        "Contact", "Address", "Block", "Change", "Message", "SendOut", "Report", "DeliveryEvent", "Tally",
        "UnlistedCode", "Alarm",
    ]  # fmt: skip
