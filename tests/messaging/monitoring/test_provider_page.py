"""The page Providers: who may see it, what it says, and the test report."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from pytest_django.live_server_helper import LiveServer

from messaging.inbox.hourly_counts import hour_of
from messaging.incoming.listeners import listeners_of
from messaging.incoming.mailboxes import mailboxes_of
from messaging.models import Alarm, Report, Tally, UnlistedCode
from messaging.monitoring import health, test_report
from messaging.providers.base import Provider
from messaging.providers.registry import providers
from tests.factories import htmx, log_in
from tests.staff import staff, superuser

pytestmark = pytest.mark.django_db


def tallied(provider: str = "sendgrid", hours_ago: int = 0, **sums: int) -> Tally:
    now = timezone.now()
    at = now - timedelta(hours=hours_ago)
    return Tally.objects.create(provider=provider, hour=hour_of(at), last_at=at, **sums)


def page(client: Client | None = None) -> str:
    answer = (client or log_in("Administrators")).get("/providers/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize("group", ["Marketers", "Support", ""])
def test_nobody_else_sees_or_tests_providers(group: str) -> None:
    client = log_in(group)

    assert client.get("/providers/").status_code == 403
    assert client.post("/providers/sendgrid/test/").status_code == 403
    assert "/providers/" not in client.get("/contacts/").content.decode()


def test_administrators_find_the_page_in_the_bar_and_others_log_in_first() -> None:
    assert '<a href="/providers/">Providers</a>' in log_in("Administrators").get("/contacts/").content.decode()
    assert 'href="/providers/" aria-current="page"' in page()
    assert Client().get("/providers/").headers["Location"].startswith("/login/")


def test_those_set_up_stand_apart_from_those_that_are_not() -> None:
    found = page()

    set_up, _, others = found.partition("Not set up")
    assert "http://127.0.0.1:8000/webhooks/sendgrid/" in set_up
    assert "No report yet" in set_up
    assert "POSTMARK_WEBHOOK_KEYS" in others
    assert "docs/providers/postmark.md" in others
    assert "SENDGRID_WEBHOOK_KEYS" not in others


def test_figures_chart_and_table_tell_the_same() -> None:
    tallied(reports=1200, events=4800, refused=3, unreadable=2, unmatched=9, set_aside=4)
    tallied(hours_ago=5, reports=300, events=300)
    tallied(hours_ago=60, reports=7777)
    UnlistedCode.objects.create(
        provider="sendgrid", space="codes", code="39999", count=3, report_id=1,
        first_at=timezone.now(), last_at=timezone.now(),
    )  # fmt: skip

    found = page()

    assert "1500 reports in all. The most in one hour: 1200" in found
    assert found.count('<rect class="reports"') == 2
    assert found.count('<rect class="none"') == 46
    assert "<td>1,200</td><td>4,800</td><td>3</td><td>2</td>" in found
    assert "7,777" not in found
    assert "Reports come in" in found


def test_figures_lead_to_their_rows_for_those_who_may_see_them() -> None:
    tallied(reports=5, refused=3, unreadable=2, set_aside=4)
    assert "/admin/" not in page()

    client = superuser()
    found = page(client)

    for link in (
        "/admin/messaging/report/?provider=sendgrid&amp;state=unreadable",
        "/admin/messaging/report/?provider=sendgrid&amp;state=set_aside",
        "/admin/messaging/tally/?provider=sendgrid",
    ):
        assert link in found
        assert client.get(link.replace("&amp;", "&")).status_code == 200


def test_an_alarm_says_what_is_wrong_and_what_to_do() -> None:
    Alarm.objects.create(provider="sendgrid", kind=Alarm.Kind.SILENT, started_at=timezone.now())
    Alarm.objects.create(provider="twilio", kind=Alarm.Kind.REFUSED, started_at=timezone.now())
    Alarm.objects.create(provider="postmark", kind="silent", started_at=timezone.now(), ended_at=timezone.now())

    found = page()

    assert "SendGrid normally reports at this time, and has not" in found
    assert "Reports of Twilio were refused again and again, and none was taken." in found
    assert "TWILIO_WEBHOOK_KEYS" in found
    assert "<title>Warning: Providers · Engage</title>" in found
    assert "Postmark normally reports" not in found
    tallied("twilio", reports=3)
    assert "So the key is right." in page()


def test_silence_is_a_warning_and_readyz_stays_as_it_is() -> None:
    cache.delete_many([health.WORKER, health.BEAT])
    health.beat_heartbeat()
    health.worker_heartbeat()
    Alarm.objects.create(provider="sendgrid", kind="silent", started_at=timezone.now())

    assert Client().get("/readyz").status_code == 200


def test_refusals_without_a_key_show_where_the_provider_is_listed() -> None:
    Tally.objects.create(provider="postmark", hour=hour_of(timezone.now()), refused=12, refused_at=timezone.now())

    assert "12 refused in 48 hours" in page().partition("Not set up")[2]


def test_news_bring_what_changes_and_the_alarms_only_where_they_changed() -> None:
    client = log_in("Administrators")
    alarm = Alarm.objects.create(provider="sendgrid", kind="silent", started_at=timezone.now())

    news = client.get("/providers/?seen=", headers=htmx("pulse")).content.decode()
    same = client.get(f"/providers/?seen={alarm.pk}", headers=htmx("pulse")).content.decode()

    assert "normally reports" in news
    assert "normally reports" not in same
    for each in (news, same):
        assert f"?seen={alarm.pk}" in each
        assert 'id="live-sendgrid" class="live" hx-swap-oob="true"' in each
        assert "<html" not in each
        assert "url-sendgrid" not in each


def test_as_many_queries_for_any_number_of_providers(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    client = log_in("Administrators")
    for slug in providers():
        tallied(slug, reports=1)
    client.get("/providers/")

    with django_assert_max_num_queries(15):
        client.get("/providers/")


def sent(provider: str) -> str:
    answer = log_in("Administrators").post(f"/providers/{provider}/test/", headers=htmx(f"test-{provider}"))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("groups")
class TestProbe:
    def test_it_goes_by_the_public_address_and_is_neither_kept_nor_counted(
        self, live_server: LiveServer, settings: Settings
    ) -> None:
        settings.PUBLIC_URL = live_server.url

        assert "its signature was taken" in sent("twilio")
        assert "the unsigned report was refused, as it must be" in sent("sendgrid")
        assert not Report.objects.exists()
        assert not Tally.objects.exists()

    @pytest.mark.parametrize("slug", [slug for slug, each in providers().items() if each.sign])
    @pytest.mark.parametrize("key", ["user:pass word", "whsec_anVzdC1hLWtleQ=="])
    def test_each_that_can_be_signed_for_is(
        self, live_server: LiveServer, settings: Settings, slug: str, key: str
    ) -> None:
        settings.PUBLIC_URL, settings.WEBHOOK_KEYS = live_server.url, {slug: [key]}
        provider = providers()[slug]
        try:
            provider.key(key)
        except ValueError:
            return  # no key of this provider's: see the next test
        if not provider.is_set_up():
            return

        assert test_report.send(provider).outcome == test_report.ProbeOutcome.PROVED

    def test_a_key_that_is_none_is_said_to_be_refused(self, live_server: LiveServer, settings: Settings) -> None:
        settings.PUBLIC_URL, settings.WEBHOOK_KEYS = live_server.url, {"resend": ["whsec_x"]}

        assert test_report.send(providers()["resend"]).outcome == test_report.ProbeOutcome.REFUSED

    def test_an_address_that_is_not_the_public_one_breaks_what_is_signed_over_it(
        self, live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.PUBLIC_URL = live_server.url
        monkeypatch.setattr(
            "messaging.providers.twilio.webhook.public_url", lambda request: "https://elsewhere.example.org/"
        )

        assert "its signature was refused" in sent("twilio")

    def test_another_server_is_told_from_ours_and_nobody_is_followed(
        self, live_server: LiveServer, settings: Settings
    ) -> None:
        with another_server(302, {"Location": f"{live_server.url}/webhooks/sendgrid/"}) as settings.PUBLIC_URL:
            assert "Something else answered: HTTP 302 Found" in sent("sendgrid")
        with another_server(200, {}) as settings.PUBLIC_URL:
            assert "Something else answered: HTTP 200 OK" in sent("sendgrid")
        assert "Nobody answered" in sent("sendgrid")

    def test_without_javascript_the_whole_page_comes_back(self, live_server: LiveServer, settings: Settings) -> None:
        settings.PUBLIC_URL = live_server.url

        found = log_in("Administrators").post("/providers/sendgrid/test/").content.decode()

        assert "<html" in found
        assert "refused, as it must be" in found


@pytest.mark.parametrize("slug", ["nobody", "postmark"])
def test_there_is_no_test_for_what_is_not_set_up(slug: str) -> None:
    assert log_in("Administrators").post(f"/providers/{slug}/test/").status_code == 404
    assert log_in("Administrators").get("/providers/sendgrid/test/").status_code == 405


def test_a_stranger_cannot_pass_a_report_off_as_a_test() -> None:
    made_up = {test_report.HEADER: "nonce:1vNabc:signature"}

    assert Client().post("/webhooks/sendgrid/", b"[]", "application/json", headers=made_up).status_code == 403
    assert Tally.objects.get().refused == 1


def test_support_staff_see_the_counts_and_change_none() -> None:
    client = staff()
    row = tallied(reports=3)

    assert "SendGrid" in client.get("/admin/messaging/tally/").content.decode()
    assert client.post(f"/admin/messaging/tally/{row.pk}/change/", {"reports": 9}).status_code == 403
    assert client.get("/admin/messaging/unlistedcode/").status_code == 200
    assert client.get("/admin/messaging/alarm/").status_code == 200


def test_the_permission_can_be_given_to_anybody() -> None:
    client = log_in("Support")
    Group.objects.get(name="Support").permissions.add(Permission.objects.get(codename="see_providers"))

    assert "Webhook address to paste" in page(client)


def test_one_without_a_webhook_has_nothing_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {name: getattr(providers()["twilio"], name) for name in Provider.__dataclass_fields__}
    comes = "By carrier pigeon: there is no webhook and nothing to paste."
    monkeypatch.setitem(providers(), "twilio", Provider(**{**fields, "methods": (), "label": "SMPP", "comes": comes}))

    found = page()

    assert comes in found
    assert "/providers/twilio/test/" not in found


def test_bounce_mail_shows_where_it_may_be_sent_to_and_who_takes_it(settings: Settings) -> None:
    settings.BOUNCE_DOMAIN = "bounces.shop.example"
    settings.BOUNCE_LISTENERS = listeners_of(["lmtp://127.0.0.1:8024"])
    settings.IMAP_MAILBOXES = mailboxes_of(["imaps://engage:s3cret@mail.shop.example/Bounces"])
    cache.delete(health.BOUNCE_SERVER)
    cache.set(health.BOUNCE_MAILBOX, time.time())

    found = page()

    for words in ("bounce+…@bounces.shop.example", "lmtp://127.0.0.1:8024", "Bounces, mail.shop.example"):
        assert words in found
    assert "s3cret" not in found
    assert [check.is_good for check in health.carriers()] == [False, True]
    assert "Bounce server" in found
    assert {check.name for check in health.checks()}.isdisjoint(health.CARRIERS)


@contextmanager
def another_server(status: int, headers: dict[str, str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
