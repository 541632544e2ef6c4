"""What became of a send-out: what is kept is what a count of messages and events gives, however it came about."""

from collections import Counter
from datetime import timedelta
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.ledger.record import Revision, SourcedEvent, give_up
from messaging.models import DeliveryEvent, Heard, Message, Outcome, ReadUpTo, SendOut, Stretch
from messaging.sendouts import making
from messaging.sendouts.lifecycle import start
from messaging.sendouts.outcome import keeping
from messaging.status.order import Event, Kind, key_of
from messaging.suppression import follow
from messaging.suppression.follow import apply
from tests.factories import ago
from tests.messaging.conftest import SENT_AT
from tests.messaging.sendouts.people import Person, make_people, make_send_out
from tests.messaging.status.test_laws import rolled_back

DATABASE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
NOW = timedelta(0)
KINDS = [
    Kind.ACCEPTED, Kind.DEFERRED, Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE,
    Kind.COMPLAINED, Kind.UNSUBSCRIBED,
]  # fmt: skip
# (what is done, to which message, by which kind of event, which of few facts: so that there are repeats)
steps = st.lists(
    st.tuples(st.sampled_from("eeeeeebbblrsm"), st.integers(0, 5), st.sampled_from(KINDS), st.integers(0, 3)),
    max_size=30,
)


def event(message: Message, kind: Kind, number: int) -> Event:
    link = f"link {number % 2}" if kind == Kind.CLICKED else ""
    reason = ("mailbox_full", "user_unknown")[number % 2] if "bounce" in kind or kind == Kind.DEFERRED else ""
    return Event(
        "p", kind, SENT_AT + timedelta(hours=number), f"{message.pk} {number}", message.pk,
        reason=reason, provider_code=link, is_automatic=number == 3,
    )  # fmt: skip


def click(message: Message, number: int) -> Event:
    """One of those that are a burst together."""
    at = SENT_AT + timedelta(hours=2, seconds=number / 4)
    return Event("tracking", Kind.CLICKED, at, f"{message.pk} {number}", message.pk, provider_code=f"link {number}")


def do(step: tuple[str, int, Kind, int], messages: list[Message]) -> None:
    what, which, kind, number = step
    message = messages[which % len(messages)]
    if what == "e":
        with transaction.atomic():
            apply([SourcedEvent(event(message, kind, number)), SourcedEvent(event(messages[0], kind, number))])
    elif what == "b":
        with transaction.atomic():
            apply([SourcedEvent(click(message, number))])
    elif what == "l":
        keeping.look(margin=NOW)
    elif what == "s":
        with transaction.atomic():
            give_up(SENT_AT + timedelta(hours=71 + number), 3)
    elif what == "m":
        making.make_rows(message.send_out_id or 0, 2)
    elif what == "r":
        key = key_of(event(message, Kind.HARD_BOUNCE, number))
        if DeliveryEvent.objects.filter(pk=key).exists():
            with transaction.atomic():
                follow.revise([Revision(key, message.pk, Kind.SOFT_BOUNCE, "network")])
                keeping.hold()
                keeping.mark([message.pk])


def counted(send_out: SendOut) -> Counter[str]:
    """What the outcome must hold: the rules once more, message by message."""
    domains, found = Outcome.objects.get(pk=send_out.pk).domains, Counter[str]()
    for each in Message.objects.filter(send_out=send_out).select_related("address"):
        domain = each.address.value.rpartition("@")[2]
        found[f"status/{each.status}"] += 1
        if each.status != "control_group":
            found[f"domain/{domain if domain in domains else ''}/{each.status}"] += 1
        if each.status in keeping.REASONED:
            reason = "gave_up" if each.reason == "expired" and not each.code else each.reason
            found[f"reason/{each.status}/{reason}"] += 1
        if each.is_opened:
            found["opened/person" if each.is_opened_by_person else "opened/program"] += 1
        for name, at in (("due", each.due_at), ("next", each.next_attempt_at)):
            if each.status == "deferred" and at:
                found[f"{name}/{int(at.timestamp()) // 3600 * 3600}"] += 1
    return found


def heard(send_out: SendOut) -> Counter[tuple[str, str, str]]:
    found, first = Counter[tuple[str, str, str]](), set[tuple[Any, ...]]()
    for each in DeliveryEvent.objects.filter(message__send_out=send_out):
        is_read = each.kind in ("opened", "clicked")
        figure = f"auto_{each.kind}" if is_read and each.is_automatic else each.kind
        names = [(figure, each.provider_code if each.kind == "clicked" else "")]
        if figure == "clicked":
            names.append(("clickers", ""))
        if is_read and not each.is_automatic:
            names.append(("readers", ""))
        for name in names:
            found[(*name, "events")] += 1
            if (each.message_id, *name) not in first:
                first.add((each.message_id, *name))
                found[(*name, "messages")] += 1
    return found


SINGLE = ("opened", "auto_opened", "clicked", "auto_clicked", "clickers", "readers", "complained", "unsubscribed")


def check(send_out: SendOut) -> None:
    assert Counter(Outcome.objects.get(pk=send_out.pk).counts) == counted(send_out)
    kept = Counter[tuple[str, str, str]]()
    for each in Heard.objects.filter(send_out=send_out, figure__in=SINGLE):
        kept[each.figure, each.link, "events"] += each.events
        kept[each.figure, each.link, "messages"] += each.messages
    assert kept == Counter({key: n for key, n in heard(send_out).items() if key[0] in SINGLE})
    delivered = sum(Heard.objects.filter(send_out=send_out, figure="delivered").values_list("events", flat=True))
    assert delivered == DeliveryEvent.objects.filter(message__send_out=send_out, kind="delivered").count()


@pytest.fixture
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "STRETCH", 2)
    monkeypatch.setattr(keeping, "AT_ONCE", 1)
    monkeypatch.setattr(keeping, "DOMAINS", 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small_stretches")
@given(steps)
@DATABASE
def test_what_is_kept_is_a_recount_after_any_steps_in_any_order(done: list[tuple[str, int, Kind, int]]) -> None:
    """Events and repeats, giving up, rows made meanwhile, events that are judged anew, and looks in between."""
    with rolled_back():
        ReadUpTo.objects.create(until=ago(seconds=60))
        make_people([Person(n, True, "", False) for n in range(7)], set())
        send_outs = [make_send_out(), make_send_out()]
        for each in send_outs:
            start(each.pk)
            making.make_chunk(making.recipe_of(each.pk), 3)
        messages = list(Message.objects.order_by("pk"))
        Message.objects.filter(send_out=send_outs[0]).update(sent_at=SENT_AT)

        for step in done:
            do(step, messages)
        keeping.look(60, NOW)

        for each in send_outs:
            check(each)
            keeping.recount(each.pk)
            check(each)


@pytest.fixture
def sent(db: None) -> list[Message]:
    """Five messages of a send-out, handed over."""
    make_people([Person(n, True, "", False) for n in range(5)], set())
    send_out = make_send_out()
    start(send_out.pk)
    making.make_rows(send_out.pk)
    return list(Message.objects.order_by("pk"))


def test_a_message_that_leaves_deferred_leaves_its_counts(sent: list[Message]) -> None:
    apply([SourcedEvent(event(each, Kind.DEFERRED, 1)) for each in sent])
    keeping.look(margin=NOW)
    assert Outcome.objects.get().counts["status/deferred"] == 5
    assert any(key.startswith("due/") for key in Outcome.objects.get().counts)

    apply([SourcedEvent(event(each, Kind.DELIVERED, 2)) for each in sent])
    keeping.look(margin=NOW)

    counts = Outcome.objects.get().counts
    assert counts["status/delivered"] == 5
    assert not any("deferred" in key or key.startswith("due/") for key in counts)


def test_the_command_counts_anew_what_somebody_wrote_past_us(sent: list[Message]) -> None:
    keeping.look(margin=NOW)
    Message.objects.filter(pk=sent[0].pk).update(status="hard_bounce", reason="user_unknown")
    Heard.objects.create(send_out=SendOut.objects.get(), hour=SENT_AT, figure="opened", events=7, messages=7)

    call_command("recount")

    assert Outcome.objects.get().counts["reason/hard_bounce/user_unknown"] == 1
    assert not Heard.objects.exists()


def test_what_was_heard_stays_when_the_events_have_gone_with_age(sent: list[Message], settings: Any) -> None:
    apply([SourcedEvent(event(sent[0], Kind.CLICKED, 1))])
    keeping.look(margin=NOW)
    DeliveryEvent.objects.all().delete()
    SendOut.objects.update(created_at=ago(days=settings.EVENT_RETENTION_DAYS + 1))

    call_command("recount")

    assert Heard.objects.get(figure="clickers").messages == 1


def test_nothing_to_do_is_little_work(sent: list[Message]) -> None:
    keeping.look(margin=NOW)

    assert keeping.look(margin=NOW) == 0
    assert not Stretch.objects.filter(changed_at__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_late_is_counted_once() -> None:
    """Given a worker that has recorded an open and not yet committed it, while we look twice."""
    make_people([Person(0, True, "", False)], set())
    send_out = make_send_out()
    start(send_out.pk)
    making.make_rows(send_out.pk)
    message = Message.objects.get()
    keeping.look(margin=NOW)
    recorded, looked = Signal(), Signal()

    def work() -> None:
        try:
            with transaction.atomic():
                apply([SourcedEvent(event(message, Kind.OPENED, 1))])
                recorded.set()
                looked.wait(30)
        finally:
            connection.close()

    worker = Thread(target=work)
    worker.start()
    assert recorded.wait(30)
    keeping.look(margin=NOW)
    keeping.look(margin=NOW)
    assert "opened/person" not in Outcome.objects.get().counts
    looked.set()
    worker.join()

    for _ in range(2):
        keeping.look(margin=NOW)
        assert Outcome.objects.get().counts["opened/person"] == 1
        assert sum(Heard.objects.filter(figure="opened").values_list("events", flat=True)) == 1
