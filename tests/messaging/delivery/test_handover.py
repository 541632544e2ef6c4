"""Handing over to a real mail server: what each answer comes to, what is tried again, and that nothing goes twice."""

import gc
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from contacts.addresses import address_of
from contacts.models import Block, Channel, Contact
from messaging.delivery import dispatcher
from messaging.delivery.answers import SCHEDULE, MailAnswer, event_of, next_attempt
from messaging.delivery.email_routes import Direct, Relay
from messaging.delivery.heartbeat import SILENT_AFTER
from messaging.delivery.transport import Transport
from messaging.delivery.transports import smtp
from messaging.delivery.transports.smtp_pipeline import NoServerError, Outgoing, Post
from messaging.incoming.addresses import return_path
from messaging.ledger.sweep import give_up_due
from messaging.models import Batch, DeliveryEvent, Message, SendOut
from messaging.sendouts import lifecycle
from messaging.sendouts.totals import totals_of
from messaging.status.order import Kind, Status
from messaging.tracking.tokens import Purpose, message_id_of, token_of
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)

SLICE = smtp.FIRST_SLICE


@pytest.fixture(autouse=True)
def first_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_SLICES", {})


@pytest.fixture
def taker(settings: Settings) -> Iterator[Receiver]:
    with receiver() as found:
        use(settings, found)
        yield found


def use(settings: Settings, found: Receiver, *, direct: bool = True) -> None:
    settings.BOUNCE_DOMAIN = "bounces.engage.example"
    settings.EMAIL_ROUTE = (Direct if direct else Relay)("127.0.0.1", found.port)


def sent_to(*names: str, **fields: Any) -> SendOut:
    for name in names:
        make_contact(first_name=name.title(), email=f"{name}@there.example")
    made = make_send_out(sender="news@engage.example", sender_name="Engage", **fields)
    run(made)
    return made


def handed_over(send_out: SendOut) -> dict[str, Message]:
    while dispatcher.hand_over(send_out.pk):
        pass
    return {
        each.address.value.partition("@")[0]: each
        for each in Message.objects.filter(send_out=send_out).select_related("address")
    }


def test_what_the_receiving_server_says_becomes_the_status(taker: Receiver) -> None:
    messages = handed_over(sent_to("anna", "unknown", "full", "later", "policy"))

    assert {name: (each.status, each.reason) for name, each in messages.items()} == {
        "anna": ("delivered", ""),
        "unknown": ("hard_bounce", "user_unknown"),
        "full": ("soft_bounce", "mailbox_full"),
        "later": ("deferred", "greylisted"),
        "policy": ("soft_bounce", "policy"),
    }
    assert messages["unknown"].code == "550 5.1.1"
    assert Block.objects.get().address.value == "unknown@there.example"
    assert messages["later"].next_attempt_at is not None


def test_a_relay_that_takes_it_says_no_more_than_that(settings: Settings) -> None:
    with receiver() as relay:
        use(settings, relay, direct=False)
        messages = handed_over(sent_to("anna", "unknown"))

    assert messages["anna"].status == "unknown"
    assert messages["unknown"].status == "hard_bounce"


def test_the_mail_says_who_it_is_from_and_brings_its_bounces_home(taker: Receiver) -> None:
    anna = handed_over(sent_to("anna"))["anna"]

    (envelope,) = taker.taken
    mail = message_from_bytes(envelope.original_content or b"", policy=default)
    assert message_id_of(str(mail["Message-ID"]).strip("<>").partition("@")[0]) == anna.pk
    assert envelope.mail_from == return_path(anna.pk)
    assert token_of(anna.pk, Purpose.BOUNCE) not in str(mail)
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "anna@there.example",
        "Engage <news@engage.example>",
        "Spring is here",
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_domain_beyond_ascii_is_sent_to_and_its_bounce_finds_message_and_address(taker: Receiver) -> None:
    make_contact(first_name="Ida", email="unknown@straße.example")
    made = make_send_out(sender="news@faß.example", sender_name="Faß")
    run(made)

    ida = handed_over(made)["unknown"]

    assert list(taker.tries) == ["unknown@xn--strae-oqa.example"]
    assert (ida.status, Block.objects.get().address.value) == ("hard_bounce", "unknown@straße.example")


def test_what_was_put_off_is_tried_again_and_arrives(settings: Settings) -> None:
    with receiver(later=1) as found:
        use(settings, found)
        message = handed_over(sent_to("later"))["later"]
        assert dispatcher.try_again() == 0  # it is not time yet
        Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())

        assert dispatcher.try_again() == 1
        message.refresh_from_db()
        assert (message.status, message.attempts, message.next_attempt_at) == ("delivered", 2, None)


def test_what_a_relay_put_off_and_then_took_is_no_longer_on_hold(settings: Settings) -> None:
    with receiver(later=1) as found:
        use(settings, found, direct=False)
        message = handed_over(sent_to("later"))["later"]
        assert message.status == "deferred"
        Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())

        dispatcher.try_again()

    Message.objects.filter(pk=message.pk).update(due_at=timezone.now() - timedelta(hours=1))
    give_up_due()
    message.refresh_from_db()
    assert (message.status, message.next_attempt_at) == ("unknown", None)


@pytest.mark.usefixtures("groups")
def test_what_was_put_off_waits_while_its_send_out_is_paused_and_goes_on_when_it_is_resumed(
    settings: Settings,
) -> None:
    somebody = int(log_in("Marketers").session["_auth_user_id"])
    with receiver(later=1) as found:
        use(settings, found)
        send_out = sent_to("later", "anna")
        message = handed_over(send_out)["later"]
        Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())
        lifecycle.pause(send_out.pk, somebody)
        assert dispatcher.try_again() == 0

        lifecycle.resume(send_out.pk, somebody)
        assert dispatcher.try_again() == 1
        message.refresh_from_db()
        assert (message.status, message.attempts) == ("delivered", 2)


@pytest.mark.usefixtures("groups")
def test_what_was_put_off_is_never_tried_again_once_its_send_out_is_cancelled(settings: Settings) -> None:
    somebody = int(log_in("Marketers").session["_auth_user_id"])
    with receiver(later=1) as found:
        use(settings, found)
        send_out = sent_to("later")
        message = handed_over(send_out)["later"]
        Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())
        lifecycle.cancel(send_out.pk, somebody)

        assert dispatcher.try_again() == 0
        message.refresh_from_db()
        assert (message.status, message.attempts, message.next_attempt_at) == ("deferred", 1, None)
        assert found.taken == []


@pytest.mark.usefixtures("groups")
def test_what_was_given_up_while_its_send_out_was_paused_is_not_tried_after_it_is_resumed(settings: Settings) -> None:
    somebody = int(log_in("Marketers").session["_auth_user_id"])
    with receiver(later=1) as found:
        use(settings, found)
        send_out = sent_to("later")
        message = handed_over(send_out)["later"]
        lifecycle.pause(send_out.pk, somebody)
        past = timezone.now() - timedelta(minutes=1)
        Message.objects.filter(pk=message.pk).update(due_at=past, next_attempt_at=past)
        give_up_due()
        lifecycle.resume(send_out.pk, somebody)

        assert dispatcher.try_again() == 0
        message.refresh_from_db()
        assert (message.status, message.next_attempt_at) == ("soft_bounce", None)
        assert found.taken == []


def test_what_was_put_off_goes_by_the_new_way_once_the_route_is_another(settings: Settings) -> None:
    with receiver(later=1) as found:
        use(settings, found)
        message = handed_over(sent_to("later"))["later"]
        Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())
        use(settings, found, direct=False)

        assert dispatcher.try_again() == 1
        message.refresh_from_db()
        assert (message.status, message.provider, message.attempts) == ("unknown", "relay", 2)


def test_after_72_hours_it_is_tried_no_more_and_is_a_soft_bounce(taker: Receiver) -> None:
    message = handed_over(sent_to("later"))["later"]
    first = timezone.now() - timedelta(hours=72, minutes=1)
    Message.objects.filter(pk=message.pk).update(
        sent_at=first, due_at=first + timedelta(hours=72), next_attempt_at=timezone.now()
    )

    dispatcher.try_again()
    give_up_due()
    dispatcher.try_again()

    message.refresh_from_db()
    assert (message.status, message.attempts, message.next_attempt_at) == ("soft_bounce", 1, None)


def test_who_was_blocked_or_left_meanwhile_gets_nothing_and_the_card_says_so(taker: Receiver) -> None:
    send_out = sent_to("anna", "berta", "cecilia")
    Block.objects.create(
        address=address_of(Channel.EMAIL, "anna@there.example"),
        started_at=timezone.now(),
        cause="test",
        reason="user_unknown",
    )
    Contact.objects.filter(first_name="Berta").update(accepts_email=False)

    messages = handed_over(send_out)

    assert [each.rcpt_tos for each in taker.taken] == [["cecilia@there.example"]]
    assert {name: (each.status, each.reason) for name, each in messages.items() if name != "cecilia"} == {
        "anna": ("soft_bounce", "suppressed"),
        "berta": ("soft_bounce", "suppressed"),
    }
    assert "unsubscribed before its turn" in messages["berta"].diagnostic


def test_a_transactional_mail_goes_to_who_left(taker: Receiver) -> None:
    send_out = sent_to("anna", is_transactional=True)
    Contact.objects.update(accepts_email=False)

    assert handed_over(send_out)["anna"].status == "delivered"


def test_a_server_that_hangs_up_before_it_answers_leaves_it_unknown_and_gets_no_second_copy(taker: Receiver) -> None:
    message = handed_over(sent_to("drop"))["drop"]

    assert (message.status, message.next_attempt_at) == ("unknown", None)
    assert len(taker.taken) == 1
    assert message.events.get().caveat == "in_doubt"


def test_a_worker_that_dies_in_between_leaves_it_unknown_and_nothing_goes_twice(
    taker: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_out = sent_to(*(f"p{number}" for number in range(120)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(dispatcher, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            dispatcher.hand_over(send_out.pk)
    assert not dispatcher.hand_over(send_out.pk)  # the batch is somebody's, who may be alive
    Batch.objects.update(claimed_at=timezone.now() - SILENT_AFTER - timedelta(seconds=1))
    messages = handed_over(send_out)

    recipients = [each.rcpt_tos[0] for each in taker.taken]
    assert len(recipients) == len(set(recipients)) == 120
    shown = [each.status for each in messages.values()]
    assert (shown.count("unknown"), shown.count("delivered")) == (SLICE, 120 - SLICE)
    assert DeliveryEvent.objects.filter(caveat="in_doubt").count() == SLICE


def test_a_worker_that_dies_trying_again_leaves_it_unknown_and_nothing_goes_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver(later=1) as found:
        use(settings, found)
        message = handed_over(sent_to("later"))["later"]
        now = {"next_attempt_at": timezone.now()}
        Message.objects.filter(pk=message.pk).update(**now)

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(dispatcher, "record", killed)
            with pytest.raises(KeyboardInterrupt):
                dispatcher.try_again()
        assert dispatcher.try_again() == 0  # somebody may be at it
        Message.objects.filter(pk=message.pk).update(**now)
        dispatcher.try_again()

        message.refresh_from_db()
        assert len(found.taken) == 1
        assert (message.status, message.next_attempt_at) == ("unknown", None)
        assert message.events.filter(caveat="in_doubt").exists()


@pytest.mark.usefixtures("groups")
def test_pausing_ends_it_within_a_slice_and_resuming_goes_on(taker: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    send_out = sent_to(*(f"p{number}" for number in range(SLICE * 2)))
    somebody = log_in("Marketers").session["_auth_user_id"]
    send = dispatcher._send

    def pausing(marked: dict[int, int], way: Transport, tell: Callable[[], object]) -> None:
        send(marked, way, tell)
        lifecycle.pause(send_out.pk, int(somebody))

    with monkeypatch.context() as patched:
        patched.setattr(dispatcher, "_send", pausing)
        dispatcher.hand_over(send_out.pk)
    assert len(taker.taken) == SLICE

    lifecycle.resume(send_out.pk, int(somebody))
    handed_over(send_out)
    assert len(taker.taken) == SLICE * 2
    assert totals_of([send_out.pk])[send_out.pk][Status.DELIVERED] == SLICE * 2


def test_a_send_out_whose_messages_are_all_handed_over_is_done(taker: Receiver) -> None:
    send_out = sent_to("anna")
    handed_over(send_out)

    assert lifecycle.finish(send_out.pk)


def test_the_collector_rests_for_a_turn_alone(taker: Receiver) -> None:
    made = sent_to("anna")

    dispatcher.hand_over(made.pk)
    assert gc.isenabled()

    gc.disable()
    try:
        dispatcher.hand_over(made.pk)
        assert not gc.isenabled()  # who had it rest for longer has it so
    finally:
        gc.enable()


def test_nobody_there_is_tried_again(settings: Settings, taker: Receiver) -> None:
    settings.EMAIL_ROUTE = Direct("127.0.0.1", 1)
    message = handed_over(sent_to("anna"))["anna"]

    assert (message.status, message.reason) == ("deferred", "network")


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (NoServerError(550, "550 5.1.2 Domain x.example not found (NXDOMAIN)"), Kind.HARD_BOUNCE, "domain_unknown"),
        (
            NoServerError(556, "556 5.1.10 x.example does not accept mail (null MX)"),
            Kind.HARD_BOUNCE,
            "domain_refuses_mail",
        ),
        (NoServerError(0, "4.4.3 DNS lookup of x.example failed: LifetimeTimeout"), Kind.DEFERRED, "network"),
    ],
)
def test_a_domain_without_a_server_is_told_from_a_fault_of_the_dns(
    error: NoServerError, kind: Kind, reason: str
) -> None:
    def nowhere(_domain: str) -> list[str]:
        raise error

    with Post(Direct(), "engage.example", resolve=nowhere) as post:
        answer = post.send(Outgoing(1, 1, "a@engage.example", "b@x.example", b"Subject: x\r\n\r\nx\r\n"))

    event = event_of(answer, 1, 1, "mx", timezone.now())
    assert (event.kind, event.reason) == (kind, reason)


def test_attempts_widen_and_end_in_time() -> None:
    now = timezone.now()
    steps = [next_attempt(attempt, now, now, timedelta(hours=72)) for attempt in range(1, 9)]

    assert steps == [now + each for each in (*SCHEDULE, SCHEDULE[-1])]
    assert next_attempt(9, now - timedelta(hours=70), now, timedelta(hours=72)) is None


@pytest.mark.parametrize(
    ("text", "is_final", "kind"),
    [
        ("550 Unrouteable address", False, Kind.SOFT_BOUNCE),
        ("550 5.1.1 Unroutable address", False, Kind.SOFT_BOUNCE),
        ("550 Unrouteable address", True, Kind.HARD_BOUNCE),
        ("550 5.1.1 User unknown", False, Kind.HARD_BOUNCE),
    ],
)
def test_a_relay_that_knows_no_way_to_an_address_does_not_say_that_it_is_dead(
    text: str, is_final: bool, kind: Kind
) -> None:
    assert event_of(MailAnswer(550, text, is_final=is_final), 1, 1, "mx", timezone.now()).kind == kind


def test_a_temporary_no_is_never_hard() -> None:
    event = event_of(MailAnswer(450, "450 5.1.1 User unknown", is_final=True), 1, 1, "mx", timezone.now())

    assert event.kind == Kind.DEFERRED
