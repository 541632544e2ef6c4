"""The demo: its story is sound, its reports are genuine, and played against the product it ends as it is told."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import phonenumbers
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, Sum
from django.test import RequestFactory
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from contacts.addresses import normalise_email, normalise_mobile
from contacts.models import Address, Block, Change, Channel, Contact
from engage.local.run import free_ports
from messaging.bounces.classify import classify
from messaging.bounces.reasons import REASONS
from messaging.delivery import dispatcher
from messaging.delivery.email_routes import Direct
from messaging.delivery.sms_routes import sms_route_of
from messaging.demo import cast, phones, play, preconditions, receivers, sendgrid, tryout, twilio, waiting
from messaging.demo.post import Keys, PlotLine, callback_of, event_of
from messaging.demo.script import CastMember, Plan, Plot, Scene, Story, story
from messaging.inbox import reports
from messaging.inbox.writer import ReportWriter
from messaging.incoming.clerk import Clerk
from messaging.incoming.listeners import listeners_of
from messaging.incoming.server import BounceServer
from messaging.ledger import sweep
from messaging.models import DeliveryEvent, LeftOut, Message, Progress, Report, SendOut, Tally
from messaging.providers.base import Raw
from messaging.providers.registry import providers
from messaging.sendouts import contents, lifecycle, making, tending, totals
from messaging.sendouts.outcome.models import Heard, Outcome
from messaging.smpp import keeper, sender
from messaging.smpp.connections import connections_of
from messaging.status.order import EMAIL_STATUSES, SMS_STATUSES, Event, Kind, Status, fold
from messaging.tracking.tokens import token_of
from tests.factories import make_contact, make_user
from tests.messaging.processes import wait_for

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
PLOTS = [pytest.param(plot, id=f"{channel}-{name}") for (channel, name), plot in story().plots.items()]
# What regulators keep for fiction; other numbers in the story must be nobody's.
FICTION = ("+467017406", "+447700900", "+1202555", "+1613555", "+4917604069", "+336399", "+61491570")
SHORT = (
    "Harriet Bloom",
    "Anneke Peeters",
    "Tobias Ekström",
    "Thabo Mokoena",
    "João Gonçalves",
    "Ingrid Solberg",
    "Klara Vogel",
)


# ---- The story


def test_the_story_shows_every_status_of_both_channels() -> None:
    shown = {(scene.plot.channel, scene.plot.ends) for scene in story().scenes(NOW)}

    assert shown == {(Channel.EMAIL, s) for s in EMAIL_STATUSES} | {(Channel.SMS, s) for s in SMS_STATUSES}


def test_every_plot_is_played() -> None:
    played = {(scene.plot.channel, scene.plot.name) for scene in story().scenes(NOW)}

    assert played == set(story().plots)


@pytest.mark.parametrize("hour", range(0, 24, 6))
def test_nothing_happens_in_the_future_or_before_the_person_joined(hour: int) -> None:
    now = NOW + timedelta(hours=hour)
    for scene in story().scenes(now):
        assert now - timedelta(days=scene.person.joined_days_ago) < scene.sent_at < now
        assert all(scene.sent_at + line.after <= now for line in scene.plot.lines), scene
        ends = scene.fate.due(scene.plot.deeds[-1].after) if scene.plot.deeds else timedelta()
        assert scene.sent_at + ends < now, scene


def test_each_person_gets_a_send_out_once_and_messages_in_order_of_their_sending() -> None:
    scenes = story().scenes(NOW)

    assert len({(scene.person.name, scene.plan.id) for scene in scenes}) == len(scenes)
    assert all(scene.sent_at <= later.sent_at for scene, later in pairwise(scenes))


def test_nothing_is_sent_where_an_address_is_blocked_or_unsubscribed() -> None:
    closed = set()
    for scene in story().scenes(NOW):
        place = (scene.person.name, scene.plot.channel, scene.is_after_meanwhile)
        assert place not in closed, scene
        if scene.plot.closes_channel:
            closed.add(place)


@pytest.mark.parametrize("person", story().cast.values(), ids=lambda person: person.name)
def test_the_people_can_be_reached_by_nobody(person: CastMember) -> None:
    if person.email:
        assert normalise_email(person.email).endswith((".example.com", ".example.net", ".example.org"))
    if person.mobile:
        number = normalise_mobile(person.mobile, person.country)
        assert number.startswith(FICTION) or not phonenumbers.is_valid_number(phonenumbers.parse(number))


def test_nobody_of_the_story_has_a_number_that_stands_for_a_fate() -> None:
    told = {normalise_mobile(each.mobile, each.country) for each in story().cast.values() if each.mobile}

    assert told.isdisjoint(phones.number_of(ending) for ending in phones.FATES)
    assert all(phones.number_of(ending).startswith(FICTION) for ending in phones.FATES)


@pytest.mark.parametrize("plan", story().plans, ids=lambda plan: plan.id)
def test_what_a_send_out_says_could_be_sent(plan: Plan) -> None:
    assert not contents.problems(plan.channel, subject=plan.subject, html="", text=plan.text)


def test_a_receiver_knows_each_send_out_by_what_it_says() -> None:
    said = [(plan.channel, plan.subject or plan.text) for plan in story().plans]

    assert len(set(said)) == len(said)


# ---- What comes of a message, as the product understands it


@pytest.mark.parametrize("plot", PLOTS)
def test_each_reason_has_words_for_people(plot: Plot) -> None:
    assert not plot.because or REASONS[plot.because].says(plot.channel, "somebody@example.org")


@pytest.mark.parametrize("plot", PLOTS)
def test_a_mail_server_refuses_for_the_reason_that_is_told(plot: Plot) -> None:
    for answer in plot.answers:
        if answer[0] == "5" or (answer[0] == "4" and plot.ends == Status.DEFERRED):
            verdict = classify(answer, reply_code=answer[:3])
            assert (verdict.reason, verdict.is_hard) == (plot.because, plot.ends == Status.HARD_BOUNCE)


@pytest.mark.parametrize("plot", [plot for plot in story().plots.values() if plot.lines], ids=lambda plot: plot.name)
def test_the_adapters_read_what_the_providers_say(plot: Plot) -> None:
    events = read(plot)

    assert len(events) == len(plot.lines)
    assert {event.message_id for event in events} == {1}


def read(plot: Plot) -> list[Event]:
    """What the product understands of the reports of a plot."""
    value = "astrid@example.org" if plot.channel == Channel.EMAIL else "+46701740605"
    message = Message(pk=1, channel=plot.channel, address=Address(channel=plot.channel, value=value))
    told = [PlotLine(NOW + line.after, message, number, line) for number, line in enumerate(plot.lines)]
    if plot.channel == Channel.EMAIL:
        raws = [Raw(sendgrid.body_of([event_of(each) for each in told]), "application/json", sendgrid.PATH, NOW)]
        readings = [providers()["sendgrid"].parse(raw) for raw in raws]
    else:
        path = twilio.path_of(token_of(1))
        readings = [
            providers()["twilio"].parse(Raw(twilio.body_of(callback_of(each)), "", path, each.at)) for each in told
        ]
    assert not any(reading.problems for reading in readings)
    return [event for reading in readings for event in reading.events]


# ---- Signatures, checked by the product's own adapters


def test_a_batch_is_signed_as_sendgrid_signs(sendgrid_private_key: str) -> None:
    body = sendgrid.body_of([sendgrid.event("open", to="a@example.org", at=NOW, token="1-x", message_id="m", ip="::1")])
    headers = sendgrid.headers_of(body, private_key=sendgrid_private_key, signed_at=datetime.now(UTC))

    providers()["sendgrid"].verify(posted(sendgrid.PATH, body, headers))


def test_a_callback_is_signed_as_twilio_signs(twilio_auth_token: str) -> None:
    form = twilio.callback("undelivered", sid=twilio.new_sid("x"), to="+447700900123", at=NOW, ErrorCode="30003")
    path = twilio.path_of("1-5d0c1f9a3be27486")
    headers = twilio.headers_of(settings.PUBLIC_URL + path, form, auth_token=twilio_auth_token)

    providers()["twilio"].verify(posted(path, twilio.body_of(form), headers))


def test_twilios_own_example_has_the_signature_that_its_documentation_says() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234",
        "From": "+14158675309", "To": "+18005551212",
    }  # fmt: skip

    headers = twilio.headers_of("https://mycompany.com/myapp.php?foo=1&bar=2", form, auth_token="12345")
    assert headers[twilio.SIGNATURE] == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def posted(path: str, body: bytes, headers: dict[str, str]) -> Any:
    content_type = headers["Content-Type"]
    return RequestFactory().post(path, data=body, content_type=content_type, headers=headers)


# ---- The whole demo, against a live server, the try-out receivers and workers


@pytest.fixture
def world(groups: None, live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `make run` has out there, and what brings reports home: receivers, bounce server, SMPP client."""
    receiver, bounces, network = free_ports(3)
    settings.PUBLIC_URL = settings.TRACKING_URL = live_server.url
    settings.EMAIL_ROUTE = Direct("127.0.0.1", receiver)
    settings.BOUNCE_DOMAIN = "bounces.localhost"
    settings.BOUNCE_LISTENERS = listeners_of([f"smtp://127.0.0.1:{bounces}"])
    settings.SMPP_CONNECTIONS = connections_of([f"smpp://tryout:tryout@127.0.0.1:{network}/tryout?codes=map"])
    settings.SMS_ROUTE = sms_route_of("smpp:tryout", settings.SMPP_CONNECTIONS)
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.05)
    stop, ready = asyncio.Event(), threading.Event()
    loop, is_over = asyncio.new_event_loop(), threading.Event()
    serving = threading.Thread(target=loop.run_until_complete, args=[serve(stop, ready)])
    serving.start()
    assert ready.wait(20)
    bound = keeper.keep_all_bound(settings.SMPP_CONNECTIONS.values(), is_over, lambda _name: True)
    yield
    is_over.set()
    for thread in bound:
        thread.join()
    loop.call_soon_threadsafe(stop.set)
    serving.join()
    loop.close()


async def serve(stop: asyncio.Event, ready: threading.Event) -> None:
    clerk = Clerk(ReportWriter("Bounce mail"))
    async with AsyncExitStack() as open_ones:
        open_ones.callback(clerk.close)
        server = BounceServer(clerk, settings.BOUNCE_DOMAIN, settings.REPORT_MAX_BYTES)
        await server.start(settings.BOUNCE_LISTENERS)
        open_ones.push_async_callback(server.stop)
        await open_ones.enter_async_context(receivers.listening())
        ready.set()
        await stop.wait()


@pytest.fixture
def worker(world: None) -> Iterator[None]:
    """What `make run` has its workers do."""
    stop = threading.Event()

    def do_it() -> None:
        while not stop.wait(0.02):
            for unmade in Progress.objects.filter(rows_done_at=None, send_out__state="sending"):
                making.make_rows(unmade.pk)
            for pk in dispatcher.waiting(Channel.EMAIL):
                dispatcher.hand_over(pk)
            dispatcher.try_again()
            reports.apply_pending()
            sweep.give_up_due()
            tending.tend()
        connection.close()

    thread = threading.Thread(target=do_it)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DEMO_PASSWORD", "a demo password")
    return "a demo password"


def run(url: str, **options: Any) -> str:
    said = StringIO()
    call_command("demo", url=url, stdout=said, **options)
    return said.getvalue()


@pytest.fixture
def short_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few cards only, to save time."""
    all_to = Story._to

    def to(self: Story, person: CastMember, now: datetime) -> Iterator[tuple[Scene, bool]]:
        return all_to(self, person, now) if person.name in SHORT else iter(())

    monkeypatch.setattr(Story, "_to", to)


@pytest.fixture
def played(worker: None, password: str, live_server: LiveServer) -> str:
    return run(live_server.url)


def test_the_demo_ends_as_it_is_told(played: str) -> None:
    assert "All came out as the story tells" in played
    assert all(card.who in played for card in story().cards.values())
    for channel, statuses in ((Channel.EMAIL, EMAIL_STATUSES), (Channel.SMS, SMS_STATUSES)):
        shown = set(Message.objects.filter(channel=channel).values_list("status", flat=True))
        assert shown == {status.value for status in statuses}
    refused = Tally.objects.values("provider").annotate(all=Sum("refused")).values_list("provider", "all")
    assert {name: count for name, count in refused if count} == {"sendgrid": 1, "twilio": 1}
    assert Report.objects.filter(state=Report.State.UNREADABLE).count() == 1
    assert Report.objects.filter(state=Report.State.UNMATCHED).count() == 2
    assert set(LeftOut.objects.values_list("why", flat=True)) == {"blocked", "opted_out", "duplicate"}
    check_fold()
    check_late_ones()
    check_times()
    check_log_ins()
    check_history()
    check_list()
    check_blocks()
    check_recount()
    check_what_waits()


def check_fold() -> None:
    """However much the time was moved on: what a message shows is what its events add up to."""
    for message in Message.objects.exclude(status=Status.CONTROL_GROUP).prefetch_related("events"):
        events = [
            Event(each.provider, Kind(each.kind), each.occurred_at, str(each.key), is_automatic=each.is_automatic)
            for each in message.events.all()
        ]
        found = fold(Channel(message.channel), events, message.parts)
        assert (message.status, message.rank) == (found.status, found.rank), message
        assert (message.is_opened, message.is_opened_by_person) == (found.is_opened, found.is_opened_by_person)


def check_late_ones() -> None:
    given_up = DeliveryEvent.objects.filter(kind=Kind.GAVE_UP)
    assert given_up.count() == 4
    assert Message.objects.filter(pk__in=given_up.values("message"), status=Status.DELIVERED).count() == 2


def check_times() -> None:
    """Only what is late in the story is recorded long after it happened; nothing came before it was sent."""
    late = DeliveryEvent.objects.filter(recorded_at__gt=F("occurred_at") + timedelta(hours=1))
    assert set(late.values_list("message__contact__first_name", flat=True)) == {"Ingrid", "Jürgen"}
    assert not DeliveryEvent.objects.filter(occurred_at__lt=F("message__sent_at")).exists()
    for plan in story().plans:
        started = SendOut.objects.get(name=plan.name, channel=plan.channel).started_at
        assert started is not None
        assert abs(started - plan.sent_at(datetime.now(UTC))) < timedelta(minutes=5), plan


def check_log_ins() -> None:
    users = User.objects.in_bulk(cast.LOG_INS, field_name="username")
    assert all(user.check_password("a demo password") for user in users.values())
    assert [name for name, user in users.items() if user.is_staff] == ["support"]
    assert users["administrator"].has_perm("contacts.lift_block")
    assert not users["marketer"].has_perm("contacts.lift_block")


def check_history() -> None:
    """It reads in the order in which it came about."""
    for contact in Contact.objects.exclude(guid__in=tryout.guids()).prefetch_related("changes"):
        times = [change.at for change in contact.changes.order_by("pk")]
        assert times == sorted(times), contact
    made_again = Change.objects.filter(contact=cast.contacts()["Harriet Bloom"]).order_by("pk")
    assert [change.kind for change in made_again] == ["created", "blocked", "lifted", "blocked"]


def check_list() -> None:
    """The list of contacts has the newest first: the people of the story, then those to try out sending with."""
    by_number, by_date = Contact.objects.order_by("pk"), Contact.objects.order_by("created_at")
    assert {each.guid for each in by_number[: len(tryout.guids())]} == set(tryout.guids())
    assert {each.guid for each in by_date[: len(tryout.guids())]} == set(tryout.guids())


def check_blocks() -> None:
    """A block starts with the hard bounce that proves it, and whatever arrived at the address came before."""
    for block in Block.objects.all():
        proof = DeliveryEvent.objects.get(message=block.message_id, key=str(block.event_key))
        assert (proof.kind, proof.occurred_at) == (Kind.HARD_BOUNCE, block.started_at)
        assert block.life_at is None
        assert block.alive_at is None or block.alive_at < block.started_at
        assert block.ended_at is None or block.started_at < block.ended_at


def check_recount() -> None:
    """What is kept of send-outs is what a recount comes to."""
    numbers = list(SendOut.objects.values_list("pk", flat=True))
    kept = (totals.totals_of(numbers), outcomes())
    call_command("recount", stdout=StringIO())
    assert (totals.totals_of(numbers), outcomes()) == kept


def outcomes() -> list[Any]:
    heard = Heard.objects.order_by("send_out", "hour", "figure", "link")
    return [
        *Outcome.objects.order_by("pk").values_list("pk", "counts"),
        *heard.values_list("send_out", "hour", "figure", "link", "events", "messages"),
    ]


def check_what_waits() -> None:
    """Of a send-out that is paused; who resumes it has it handed over."""
    waiting = Message.objects.filter(status=Status.WAITING)
    assert set(waiting.values_list("send_out__state", flat=True)) == {"paused"}
    email = waiting.get(channel=Channel.EMAIL)
    lifecycle.resume(email.send_out_id or 0, User.objects.get(username="marketer").pk)
    wait_for(lambda: Message.objects.get(pk=email.pk).status == Status.DELIVERED)
    assert Message.objects.get(pk=email.pk).status == Status.DELIVERED


@pytest.mark.usefixtures("groups", "password")
def test_a_second_demo_changes_nothing_but_the_password(live_server: LiveServer) -> None:
    cast.enter([story().last], 0)

    assert "there already" in run(live_server.url)
    assert Contact.objects.count() == 1
    assert User.objects.get(username="marketer").check_password("a demo password")


@pytest.mark.usefixtures("worker", "password", "short_story")
def test_a_demo_that_was_killed_is_played_afresh_and_leaves_real_contacts_alone(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(play.Play, "_act", killed)
        with pytest.raises(KeyboardInterrupt):
            run(live_server.url)
    real = make_contact(email="real@example.se")

    assert "cleared away" in run(live_server.url, again=True)
    assert Contact.objects.count() == len(story().cast) + len(tryout.guids()) + 1
    assert Contact.objects.filter(pk=real.pk).exists()
    assert not Block.objects.filter(address__message=None).exists()
    assert SendOut.objects.count() == len(story().plans)


def killed(*_: object) -> None:
    raise KeyboardInterrupt


# ---- Where it cannot go on, it says what to do


@pytest.mark.django_db
def test_without_a_password_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_PASSWORD", raising=False)
    with pytest.raises(CommandError, match="Set DEMO_PASSWORD"):
        run("http://127.0.0.1:1")


@pytest.mark.django_db
@pytest.mark.usefixtures("password")
def test_it_does_not_set_the_password_of_a_real_person() -> None:
    make_user("Support", username="support")

    with pytest.raises(CommandError, match="log-in support already"):
        run("http://127.0.0.1:1")


@pytest.mark.usefixtures("groups", "password")
def test_it_writes_to_nobody_where_emails_really_leave(live_server: LiveServer, settings: Settings) -> None:
    settings.EMAIL_ROUTE = Direct()

    assert "EMAIL_ROUTE or SMS_ROUTE leads out" in run(live_server.url)
    assert set(User.objects.values_list("username", flat=True)) == set(cast.LOG_INS)
    assert not Contact.objects.exists()


@pytest.mark.usefixtures("groups", "password", "ways_to_nobody")
def test_it_says_that_the_receivers_do_not_run(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preconditions, "START_SECONDS", 0.2)

    with pytest.raises(CommandError, match=r"Nobody takes emails or SMS at 127\.0\.0\.1:9: the try-out receivers"):
        run(live_server.url)


@pytest.fixture
def ways_to_nobody(settings: Settings) -> None:
    settings.EMAIL_ROUTE = Direct("127.0.0.1", 9)
    settings.SMPP_CONNECTIONS = connections_of(["smpp://tryout:tryout@127.0.0.1:9/tryout"])
    settings.SMS_ROUTE = sms_route_of("smpp:tryout", settings.SMPP_CONNECTIONS)


@pytest.mark.django_db
@pytest.mark.usefixtures("password", "ways_to_nobody")
def test_it_cannot_sign_where_the_installation_has_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_SENDGRID_KEY_FILE")
    with pytest.raises(CommandError, match="your own SendGrid key; the demo cannot sign: unset SENDGRID_WEBHOOK_KEYS"):
        run("http://127.0.0.1:1")


@pytest.mark.django_db
@pytest.mark.usefixtures("password", "ways_to_nobody")
def test_it_says_that_no_web_server_answers() -> None:
    with pytest.raises(CommandError, match=r"No web server answers at http://127\.0\.0\.1:1 .*make run"):
        run("http://127.0.0.1:1")


@pytest.mark.usefixtures("world", "password")
def test_it_does_not_mix_with_real_contacts_unasked(live_server: LiveServer) -> None:
    make_contact()

    with pytest.raises(CommandError, match="contacts in this database already"):
        run(live_server.url)
    assert Contact.objects.count() == 1


@pytest.mark.usefixtures("world", "password", "short_story")
def test_it_says_that_no_worker_runs(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.3)

    with pytest.raises(CommandError, match="No worker seems to be running"):
        run(live_server.url)


@pytest.mark.usefixtures("world", "password", "short_story")
def test_it_says_that_the_web_server_has_other_keys(
    live_server: LiveServer, sendgrid_private_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preconditions, "keys", lambda: Keys(sendgrid_private_key, "another token"))

    with pytest.raises(CommandError, match=r"answered 403 instead of 204.* other keys or another PUBLIC_URL"):
        run(live_server.url)


def test_where_somebody_else_listens_the_receivers_leave_it_to_them(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen() -> None:
        async with receivers.listening():
            pass

    with socket.create_server(("127.0.0.1", 0)) as theirs:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", theirs.getsockname()[1])
        settings.BOUNCE_LISTENERS = listeners_of(["smtp://127.0.0.1:2525"])
        settings.SMS_ROUTE = None
        asyncio.run(listen())

    assert "somebody else listens there" in caplog.text
