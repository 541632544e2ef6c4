"""Opens, clicks and the way out: who did it, what follows, and what changes nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.models import Channel
from messaging.inbox import reports
from messaging.models import Content, DeliveryEvent, Message, Report, SendOut
from messaging.status.order import Event, Kind
from messaging.tracking import views
from messaging.tracking.bots import APPLE, AT_ONCE, GOOGLE, PREFETCH, SCANNER, bursts_marked, machine_of
from messaging.tracking.repeats import Repeats
from messaging.tracking.tokens import Purpose, token_of
from messaging.tracking.views import MOST_CONSENT_CHANGES

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.fixture(autouse=True)
def _nothing_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has just started."""
    monkeypatch.setattr(views, "_repeats", Repeats())
    monkeypatch.setattr(views, "_consent_changes", Repeats(most_a_day=MOST_CONSENT_CHANGES))


@pytest.fixture
def message(new_message: Callable[..., Message]) -> Message:
    send_out = SendOut.objects.create(name="Autumn", channel="email")
    html = '<a href="https://shop.example/?e=[[email]]">Shop</a>'
    content = Content.objects.create(send_out=send_out, version=1, subject="Autumn", html=html)
    made = new_message(send_out=send_out, content=content)
    Message.objects.filter(pk=made.pk).update(sent_at=timezone.now() - timedelta(hours=1))
    return made


def visit(path: str, agent: str = FIREFOX, method: str = "get") -> int:
    return int(getattr(Client(), method)(path, headers={"User-Agent": agent}).status_code)


def tokens(message: Message) -> dict[str, str]:
    return {purpose.value: token_of(message.pk, purpose) for purpose in Purpose}


def applied(message: Message) -> Message:
    reports.apply_pending()
    message.refresh_from_db()
    return message


def test_the_pixel_opens(message: Message) -> None:
    assert visit(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif") == 200

    assert applied(message).status == "opened"
    assert message.is_opened_by_person


def test_a_program_opens_and_is_shown_as_one_without_being_written_down(message: Message) -> None:
    visit(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif", agent="Mozilla/5.0")

    assert applied(message).status == "opened"
    assert not message.is_opened_by_person
    kept = bytes(Report.objects.get().body)
    assert b"apple" in kept
    assert b"Mozilla" not in kept
    assert b"127.0.0.1" not in kept


def test_loading_it_again_and_again_is_one_open_an_hour(message: Message) -> None:
    for _ in range(3):
        visit(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif")

    applied(message)
    assert DeliveryEvent.objects.count() in (1, 2)  # the hour may just turn


def test_a_pixel_fetched_thirty_times_is_one_row(message: Message) -> None:
    for _ in range(30):
        visit(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif")

    assert Report.objects.count() in (1, 2)  # the hour may just turn


def test_a_link_followed_thirty_times_is_one_row_and_each_link_counts(message: Message) -> None:
    html = '<a href="https://shop.example/a">A</a><a href="https://shop.example/b">B</a>'
    content = Content.objects.create(send_out_id=message.send_out_id or 0, version=2, subject="Autumn", html=html)
    Message.objects.update(content=content)
    for number in (0, 1) * 15:
        visit(f"/c/{token_of(message.pk, Purpose.CLICK)}/{number}/")

    assert Report.objects.count() in (2, 3, 4)
    applied(message)
    assert set(DeliveryEvent.objects.values_list("provider_code", flat=True)) == {"link 0", "link 1"}


def test_a_program_that_repeats_itself_hides_no_person(message: Message) -> None:
    for _ in range(30):
        visit(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif", agent="Mozilla/5.0")
    visit(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif")

    assert applied(message).is_opened_by_person


@pytest.mark.parametrize("consent_changes", [["unsubscribe"], ["unsubscribe", "subscribe"]])
def test_wishes_without_end_fill_no_inbox_and_whoever_wants_to_leave_can(
    message: Message, consent_changes: list[str]
) -> None:
    path = f"/u/{token_of(message.pk, Purpose.LEAVE)}/"
    for number in range(60):
        Client().post(path, {"wish": consent_changes[number % len(consent_changes)]})
        if number % 10 == 0:
            applied(message)
    assert Report.objects.count() <= 60 // len(consent_changes) + MOST_CONSENT_CHANGES // 2

    applied(message)
    assert message.contact is not None
    message.contact.refresh_from_db()
    if message.contact.accepts_email:
        assert Client().post(path, {"wish": "unsubscribe"}).status_code == 200


@pytest.mark.parametrize(
    ("channel", "shown", "hidden"),
    [("email", "a•••@e•••.org", "@example.org"), ("sms", "+46•••", "+4670")],
)
def test_the_way_out_shows_a_masked_address(
    new_message: Callable[..., Message], channel: str, shown: str, hidden: str
) -> None:
    message = new_message(Channel(channel))

    page = Client().get(f"/u/{token_of(message.pk, Purpose.LEAVE)}/").content.decode()

    assert shown in page
    assert hidden not in page
    assert message.address.value not in page


def test_no_cache_keeps_the_pixel_or_where_a_link_leads(message: Message) -> None:
    for path in (f"/o/{token_of(message.pk, Purpose.OPEN)}.gif", f"/c/{token_of(message.pk, Purpose.CLICK)}/0/"):
        assert "no-store" in Client().get(path)["Cache-Control"]


def test_a_pixel_takes_one_look_and_one_row(message: Message) -> None:
    with CaptureQueriesContext(connection) as asked:
        visit(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif")

    assert [each["sql"].split()[0] for each in asked.captured_queries] == ["SELECT"]
    assert Report.objects.count() == 1


def test_a_click_says_which_link_it_was(message: Message) -> None:
    visit(f"/c/{token_of(message.pk, Purpose.CLICK)}/0/")

    applied(message)
    assert DeliveryEvent.objects.get().provider_code == "link 0"


def test_a_tracking_domain_needs_no_second_setting() -> None:
    environment = {
        **os.environ, "SECRET_KEY": "x", "DATABASE_URL": "postgres://a@b/c", "REDIS_URL": "redis://127.0.0.1:1/0",
        "TRACKING_URL": "https://links.shop.example", "ALLOWED_HOSTS": "engage.shop.example",
    }  # fmt: skip
    program = "from engage import settings; print(settings.ALLOWED_HOSTS)"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['engage.shop.example', 'links.shop.example']"


def test_a_link_leads_to_where_its_author_meant_and_is_noticed(message: Message) -> None:
    answer = Client().get(f"/c/{token_of(message.pk, Purpose.CLICK)}/0/", headers={"User-Agent": FIREFOX})

    assert answer.status_code == 302
    assert answer["Location"].startswith("https://shop.example/?e=anna")
    assert applied(message).status == "opened"


@pytest.mark.parametrize(
    "path", ["/c/{click}/1/", "/c/{click}x/0/", "/c/1-aaaaaaaaaaaaaaaa/0/", "/u/1-aaaaaaaaaaaaaaaa/"]
)
def test_what_we_did_not_write_leads_nowhere(message: Message, path: str) -> None:
    assert visit(path.format(**tokens(message))) == 404
    assert not Report.objects.exists()


def test_a_forged_pixel_is_a_pixel_and_no_more() -> None:
    assert visit("/o/1-aaaaaaaaaaaaaaaa.gif") == 200
    assert not Report.objects.exists()


@pytest.mark.parametrize("path", ["/o/{open}.gif", "/c/{click}/0/", "/u/{leave}/"])
def test_asking_for_the_head_alone_changes_nothing(message: Message, path: str) -> None:
    assert visit(path.format(**tokens(message)), method="head") in (200, 302)
    assert not Report.objects.exists()


def test_looking_at_the_way_out_changes_nothing(message: Message) -> None:
    assert visit(f"/u/{token_of(message.pk, Purpose.LEAVE)}/") == 200
    assert not Report.objects.exists()


def test_one_click_of_a_mail_program_unsubscribes(message: Message) -> None:
    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post(f"/u/{token_of(message.pk, Purpose.LEAVE)}/", {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    applied(message)
    contact = message.contact
    assert contact is not None
    contact.refresh_from_db()
    assert not contact.accepts_email
    assert contact.changes.filter(kind="opted_out", message_id=message.pk).exists()


def test_a_mistake_is_undone(message: Message) -> None:
    for consent_change in ("unsubscribe", "subscribe"):
        Client().post(f"/u/{token_of(message.pk, Purpose.LEAVE)}/", {"wish": consent_change})

    applied(message)
    contact = message.contact
    assert contact is not None
    contact.refresh_from_db()
    assert contact.accepts_email


@pytest.mark.parametrize(
    ("headers", "seconds", "machine"),
    [
        ({"User-Agent": FIREFOX}, 3600, ""),
        ({"User-Agent": FIREFOX}, 2, AT_ONCE),
        ({"User-Agent": "Mozilla/5.0"}, 3600, APPLE),
        ({"User-Agent": GMAIL}, 3600, ""),
        ({"User-Agent": GMAIL}, 2, GOOGLE),
        ({"User-Agent": "Googlebot/2.1"}, 3600, SCANNER),
        ({"User-Agent": "python-requests/2.32"}, 3600, SCANNER),
        ({}, 3600, SCANNER),
        ({"User-Agent": FIREFOX, "Sec-Purpose": "prefetch;prerender"}, 3600, PREFETCH),
    ],
)
def test_programs_are_told_by_evidence(headers: dict[str, str], seconds: int, machine: str) -> None:
    assert machine_of(headers, timedelta(seconds=seconds)) == machine


ANDROID = (
    "Mozilla/5.0 (Linux; Android 12; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/534.34 (KHTML, like Gecko) BingPreview/1.0b", "facebookexternalhit/1.1",
        "Apache-HttpClient/4.5.13 (Java/11.0.16)", "WhatsApp/2.23.20.0", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com)",
        "TelegramBot (like TwitterBot)", "LinkedInBot/1.0", "SkypeUriPreview Preview/0.5", "node-fetch/1.0", "undici",
        "axios/1.6.2", "Go-http-client/2.0", "okhttp/4.12.0", "GuzzleHttp/7", "curl/8.5.0", "Wget/1.21", "PostmanRuntime/7.36",
        "Python/3.11 aiohttp/3.9.1", "Java/17.0.2", "Jakarta Commons-HttpClient/3.1", "libwww-perl/6.72", "Ruby",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "Mozilla/5.0 (compatible; bingbot/2.0)",
        "Barracuda Sentinel (EE)", "Mimecast-Url-Scanner/1.0", "GoogleOther", "Mozilla/5.0 (compatible; UptimeRobot/2.0)",
    ],
)  # fmt: skip
def test_a_program_is_known_by_what_it_calls_itself(agent: str) -> None:
    assert machine_of({"User-Agent": agent}, timedelta(hours=1)) == SCANNER


@pytest.mark.parametrize(
    "agent",
    [
        ANDROID.format("CUBOT KINGKONG 7"), ANDROID.format("CUBOT_NOTE_S"), ANDROID.format("Cubot"), FIREFOX, GMAIL,
        ANDROID.format("SM-G991B") + " iRobot/5.1", ANDROID.format("Pixel 8") + " QRScan2Go/3.0",
        ANDROID.format("LM-Spider3") + " RobotVacuum/2.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/440.0.0;FBBV/1]",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Microsoft Outlook 16.0.17126; ms-office; MSOffice 16)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "Dalvik/2.1.0 (Linux; U; Android 13)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:115.0) Gecko/20100101 Thunderbird/115.5.0",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/116.0.0.0 Safari/537.36 Avast/116.0.22388.188",
    ],
)  # fmt: skip
def test_a_person_is_no_program_for_the_name_of_a_phone_or_an_app(agent: str) -> None:
    assert machine_of({"User-Agent": agent}, timedelta(hours=1)) == ""


def test_many_links_at_once_are_a_programs_the_first_of_them_too(new_message: Callable[..., Message]) -> None:
    send_out = SendOut.objects.create(name="Autumn", channel="email")
    html = "".join(f'<a href="https://shop.example/{n}">{n}</a>' for n in range(5))
    content = Content.objects.create(send_out=send_out, version=1, subject="Autumn", html=html)
    program, person = (new_message(send_out=send_out, content=content) for _ in range(2))
    Message.objects.update(sent_at=timezone.now() - timedelta(minutes=1))

    for number in range(5):
        visit(f"/c/{token_of(program.pk, Purpose.CLICK)}/{number}/")
    visit(f"/c/{token_of(person.pk, Purpose.CLICK)}/3/")
    now = timezone.now()
    for number, report in enumerate(Report.objects.order_by("pk")):
        Report.objects.filter(pk=report.pk).update(received_at=now + timedelta(milliseconds=50 * number))

    assert not applied(program).is_opened_by_person
    assert set(DeliveryEvent.objects.filter(message=program).values_list("is_automatic", flat=True)) == {True}
    assert applied(person).is_opened_by_person


def clicks(*at: float, link: Callable[[int], int] = int) -> list[Event]:
    start = timezone.now()
    return [
        Event("tracking", Kind.CLICKED, start + timedelta(seconds=each), f"{n}", message_id=1, provider_code=f"link {link(n)}")
        for n, each in enumerate(at)
    ]  # fmt: skip


def test_what_a_person_can_do_is_no_burst() -> None:
    assert not any(each.is_automatic for each in bursts_marked(clicks(0, 2, 4, 6)))
    assert not any(each.is_automatic for each in bursts_marked(clicks(0, 0.1, 0.2, link=lambda _n: 1)))
    assert not any(each.is_automatic for each in bursts_marked(clicks(0, 0.1)))
    assert [each.is_automatic for each in bursts_marked(clicks(0, 0.1, 0.2, 9))] == [True, True, True, False]
