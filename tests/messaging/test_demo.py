"""The demo: its story is sound, its reports are genuine, and played against the product it ends as it is told."""

import re
import threading
from collections.abc import Iterator
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
from django.test import RequestFactory, override_settings
from pytest_django.live_server_helper import LiveServer

from contacts.addresses import normalise_email, normalise_mobile
from contacts.models import Address, Block, Change, Channel, Contact
from messaging import reports, sweep
from messaging.bounces.reasons import REASONS
from messaging.demo import cast, phones, play, preconditions, sendgrid, tryout, twilio
from messaging.demo.post import Keys, Said, callback_of, event_of
from messaging.demo.script import Person, Plot, Scene, Story, story
from messaging.demo.stage import Part
from messaging.models import DeliveryEvent, Message, Report, Tally
from messaging.providers import providers
from messaging.providers.base import Raw
from messaging.sendouts import lifecycle
from messaging.sendouts.handover import work
from messaging.sendouts.handover.routes import Direct
from messaging.statuses import CONSENTS, EMAIL_STATUSES, SMS_STATUSES, Event, Kind, Outcome, Status, fold, key_of
from tests.factories import make_contact, make_user
from tests.messaging.sendouts.receiver import receiver

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
PLOTS = [pytest.param(plot, id=f"{channel}-{name}") for (channel, name), plot in story().plots.items()]
# What regulators keep for fiction; other numbers in the story must be nobody's.
FICTION = ("+467017406", "+447700900", "+1202555", "+1613555", "+4917604069", "+336399", "+61491570")
SHORT = ("Harriet Bloom", "Anneke Peeters", "Tobias Ekström", "João Gonçalves", "Ingrid Solberg", "Klara Vogel")


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
        if scene.plot.channel == Channel.EMAIL:
            assert all(scene.told_at(line) <= now for line in scene.plot.lines), scene


def test_each_person_gets_a_send_out_once_and_messages_in_order_of_their_sending() -> None:
    scenes = [scene for scene in story().scenes(NOW) if scene.plan]

    assert len({(scene.person.name, scene.plan) for scene in scenes}) == len(scenes)
    assert all(scene.sent_at <= later.sent_at for scene, later in pairwise(scenes))


def test_nothing_is_sent_where_an_address_is_blocked_or_unsubscribed() -> None:
    closed = set()
    for scene in story().scenes(NOW):
        place = (scene.person.name, scene.plot.channel, scene.is_after_meanwhile)
        assert place not in closed, scene
        if scene.plot.closes_channel:
            closed.add(place)


@pytest.mark.parametrize("person", story().cast.values(), ids=lambda person: person.name)
def test_the_people_can_be_reached_by_nobody(person: Person) -> None:
    if person.email:
        assert normalise_email(person.email).endswith((".example.com", ".example.net", ".example.org"))
    if person.mobile:
        number = normalise_mobile(person.mobile, person.country)
        assert number.startswith(FICTION) or not phonenumbers.is_valid_number(phonenumbers.parse(number))


# ---- What the providers say, read by the product's own adapters


@pytest.mark.parametrize("plot", PLOTS)
def test_the_adapters_read_a_plot_as_it_is_told(plot: Plot) -> None:
    if not plot.is_sent or plot.gateway:
        return
    events = read(plot)
    gave_up = plot.ends in {Status.EXPIRED, Status.SOFT_BOUNCE} and outcome_of(plot, events).status != plot.ends
    if gave_up:
        events.append(Event("engage", Kind.GAVE_UP, NOW, "gave up", reason="expired"))

    found = outcome_of(plot, events)
    assert found.status == plot.ends
    assert reason_of(events, found) == plot.because
    assert (found.is_opened and not found.is_opened_by_person) == plot.is_automatic
    assert any(event.kind in CONSENTS for event in events) == plot.opts_out


@pytest.mark.parametrize("plot", PLOTS)
def test_each_reason_has_words_for_people(plot: Plot) -> None:
    assert not plot.because or REASONS[plot.because].says(plot.channel, "somebody@example.org")


def read(plot: Plot) -> list[Event]:
    """What the product understands of the plot's reports, each callback received at its time."""
    part, slug = part_of(plot), "sendgrid" if plot.channel == Channel.EMAIL else "twilio"
    told = [Said(part.scene.told_at(line), part, number, line) for number, line in enumerate(plot.lines)]
    if slug == "sendgrid":
        raws = [Raw(sendgrid.body_of([event_of(each) for each in told]), "application/json", sendgrid.PATH, NOW)]
    else:
        raws = [Raw(twilio.body_of(callback_of(each)), "", twilio.path_of("1-x"), each.at) for each in told]
    readings = [providers()[slug].read(raw) for raw in raws]
    assert not any(reading.problems for reading in readings)
    return [event for reading in readings for event in reading.events]


def part_of(plot: Plot) -> Part:
    person = story().cast["Astrid Lindqvist"]
    value = person.email if plot.channel == Channel.EMAIL else "+46701740605"
    address = Address(channel=plot.channel, value=value)
    message = Message(pk=1, channel=plot.channel, address=address, provider_message_id="an-id")
    scene = Scene(person, None, "", plot, NOW - timedelta(days=4), is_after_meanwhile=False)
    return Part(scene, message)


def outcome_of(plot: Plot, events: list[Event]) -> Outcome:
    return fold(plot.channel, events)


def reason_of(events: list[Event], found: Outcome) -> str:
    return next(event.reason for event in events if key_of(event) == found.decided_by)


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


# ---- The whole demo, against a live server and a worker


@pytest.fixture
def worker() -> Iterator[None]:
    """What `make run` has running: applies reports, gives up on what is overdue."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            reports.apply_pending()
            sweep.give_up_due()
        connection.close()

    thread = threading.Thread(target=work)
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
    all_scenes = Story.scenes

    def scenes(self: Story, now: datetime) -> list[Scene]:
        return [scene for scene in all_scenes(self, now) if scene.person.name in SHORT]

    monkeypatch.setattr(Story, "scenes", scenes)


@pytest.fixture
def played(groups: None, live_server: LiveServer, worker: None, password: str) -> str:
    return run(live_server.url)


def test_the_demo_ends_as_it_is_told(played: str) -> None:
    assert "All came out as the story tells" in played
    assert all(card.who in played for card in story().cards.values())
    for channel, statuses in ((Channel.EMAIL, EMAIL_STATUSES), (Channel.SMS, SMS_STATUSES)):
        shown = set(Message.objects.filter(channel=channel).values_list("status", flat=True))
        assert shown == {status.value for status in statuses}
    refused = Tally.objects.values("provider").annotate(all=Sum("refused")).values_list("provider", "all")
    assert set(refused) == {("sendgrid", 1), ("twilio", 1)}
    assert Report.objects.filter(state=Report.State.UNREADABLE).count() == 1
    assert Report.objects.filter(state=Report.State.UNMATCHED).count() == 1
    check_late_ones()
    check_times()
    check_log_ins()
    check_history()
    check_what_waits()


def check_what_waits() -> None:
    """Of a send-out that is paused; who resumes it has it handed over."""
    waiting = Message.objects.filter(status=Status.WAITING)
    assert set(waiting.values_list("send_out__state", flat=True)) == {"paused"}
    email = waiting.get(channel=Channel.EMAIL)
    with receiver() as found, override_settings(EMAIL_ROUTE=Direct("127.0.0.1", found.port)):
        lifecycle.resume(email.send_out_id or 0, User.objects.get(username="marketer").pk)
        while work.hand_over(email.send_out_id or 0):
            pass
    email.refresh_from_db()
    assert (email.status, len(found.taken)) == (Status.DELIVERED, 1)


def check_late_ones() -> None:
    given_up = DeliveryEvent.objects.filter(kind=Kind.GAVE_UP).values("message")
    assert Message.objects.filter(pk__in=given_up, status=Status.DELIVERED).count() == 2


def check_times() -> None:
    """Given that all was told within seconds, only what is late in the story is recorded long after it happened."""
    late = DeliveryEvent.objects.filter(recorded_at__gt=F("occurred_at") + timedelta(minutes=1))
    assert set(late.values_list("message__contact__first_name", flat=True)) == {"Ingrid", "Jürgen"}


def check_log_ins() -> None:
    users = User.objects.in_bulk(cast.LOG_INS, field_name="username")
    assert all(user.check_password("a demo password") for user in users.values())
    assert [name for name, user in users.items() if user.is_staff] == ["support"]
    assert users["administrator"].has_perm("contacts.lift_block")
    assert not users["marketer"].has_perm("contacts.lift_block")


def check_history() -> None:
    """Given that all was told within seconds, the history reads as if it had been told in its time."""
    for contact in Contact.objects.exclude(guid__in=tryout.guids()).prefetch_related("changes"):
        times = [change.at for change in contact.changes.order_by("pk")]
        assert times == sorted(times), contact
        assert contact.changed_at == times[-1]
    made_again = Change.objects.filter(contact=cast.contacts()["Harriet Bloom"]).order_by("pk")
    assert [change.kind for change in made_again] == ["created", "blocked", "lifted", "blocked"]


def test_nobody_of_the_story_has_a_number_that_stands_for_a_fate() -> None:
    told = {re.sub(r"[^+0-9]", "", person.mobile) for person in story().cast.values()}

    assert told.isdisjoint(phones.number_of(ending) for ending in phones.FATES)
    assert all(phones.number_of(ending).startswith(FICTION) for ending in phones.FATES)


def test_a_second_demo_changes_nothing_but_the_password(
    short_story: None, played: str, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (Contact.objects.count(), Message.objects.count(), Report.objects.count())
    monkeypatch.setenv("DEMO_PASSWORD", "another password")

    assert "there already" in run(live_server.url)
    assert (Contact.objects.count(), Message.objects.count(), Report.objects.count()) == before
    assert User.objects.get(username="marketer").check_password("another password")


@pytest.mark.usefixtures("groups", "worker", "password", "short_story")
def test_a_demo_that_was_killed_is_played_afresh_and_leaves_real_contacts_alone(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(play.Play, "_wait_for_giving_up", killed)
        with pytest.raises(KeyboardInterrupt):
            run(live_server.url)
    real = make_contact(email="real@example.se")

    assert "cleared away" in run(live_server.url, again=True)
    assert Contact.objects.count() == len(story().cast) + len(tryout.guids()) + 1
    assert Contact.objects.filter(pk=real.pk).exists()
    assert not Block.objects.filter(address__message=None).exists()


def killed(_: play.Play) -> None:
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


@pytest.mark.django_db
@pytest.mark.usefixtures("password")
def test_it_cannot_sign_where_the_installation_has_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_SENDGRID_KEY_FILE")
    with pytest.raises(CommandError, match="your own SendGrid key; the demo cannot sign: unset SENDGRID_WEBHOOK_KEYS"):
        run("http://127.0.0.1:1")


@pytest.mark.django_db
@pytest.mark.usefixtures("password")
def test_it_says_that_no_web_server_answers() -> None:
    with pytest.raises(CommandError, match=r"No web server answers at http://127\.0\.0\.1:1 .*make run"):
        run("http://127.0.0.1:1")


@pytest.mark.usefixtures("groups", "password", "short_story")
def test_it_does_not_mix_with_real_contacts_unasked(live_server: LiveServer) -> None:
    make_contact()

    with pytest.raises(CommandError, match="contacts in this database already"):
        run(live_server.url)
    assert Contact.objects.count() == 1


@pytest.mark.usefixtures("groups", "password", "short_story")
def test_it_says_that_no_worker_runs(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "PATIENCE_SECONDS", 0.3)

    with pytest.raises(CommandError, match="No worker seems to be running"):
        run(live_server.url)


@pytest.mark.usefixtures("groups", "password", "short_story")
def test_it_says_that_the_web_server_has_other_keys(
    live_server: LiveServer, sendgrid_private_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preconditions, "keys", lambda: Keys(sendgrid_private_key, "another token"))

    with pytest.raises(CommandError, match=r"answered 403 instead of 204.* other keys or another PUBLIC_URL"):
        run(live_server.url)
