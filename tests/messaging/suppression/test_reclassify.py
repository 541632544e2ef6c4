"""Improved rules applied to the past: what was stored is judged anew, and everything follows."""

import json
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.blocks import record
from contacts.models import Block, Channel, Contact
from messaging.ledger.record import SourcedEvent
from messaging.models import DeliveryEvent, Message, Report
from messaging.status.order import Event, Kind, Status, rank_of, status_of
from messaging.suppression.follow import apply
from messaging.suppression.reclassification import Stored, judge, reclassify
from tests.factories import ago, block_of, make_contact, make_message, make_user, report, said
from tests.messaging.conftest import make_contact as contact_of
from tests.messaging.conftest import make_message as message_of
from tests.messaging.status.test_laws import START, rolled_back, with_message

NO_SUCH_USER = "550 5.1.1 The email account that you tried to reach does not exist."
FULL = "552 5.2.2 The recipient's inbox is out of storage."
WORDS = st.sampled_from([NO_SUCH_USER, FULL, "554 5.7.1 Message refused as spam", "whatever", ""])


def bounce(kind: Kind, words: str, reason: str = "unknown", minutes: int = 30) -> Event:
    return said(kind, ago(minutes=minutes), reason=reason, diagnostic=words)


def wrongly_hard(contact: Contact | None = None, minutes: int = 30) -> Message:
    """A full mailbox that an earlier rule took for a dead address."""
    return make_message(contact or make_contact(), bounce(Kind.HARD_BOUNCE, FULL, "user_unknown", minutes))


def wrongly_soft() -> Message:
    return make_message(make_contact(), bounce(Kind.SOFT_BOUNCE, NO_SUCH_USER))


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("reclassify", *arguments, stdout=out)
    return out.getvalue()


def test_a_dry_run_shows_the_differences_and_changes_nothing(db: None) -> None:
    messages = [wrongly_soft(), wrongly_soft(), wrongly_hard()]
    before = list(Message.objects.order_by("pk").values())

    told = run("--dry-run")

    assert "soft bounce unknown -> hard bounce user_unknown: 2" in told
    assert "hard bounce user_unknown -> soft bounce mailbox_full: 1" in told
    assert "3 of 3 events would change." in told
    assert list(Message.objects.order_by("pk").values()) == before
    assert block_of(messages[2].contact or Contact()).is_in_force


def test_soft_becomes_hard_and_blocks(db: None) -> None:
    message = wrongly_soft()

    assert "1 of 1 events changed." in run()

    message.refresh_from_db()
    block = Block.objects.get()
    assert (message.status, message.reason) == (Status.HARD_BOUNCE, "user_unknown")
    assert (block.address_id, block.message_id, block.is_in_force) == (message.address_id, message.pk, True)
    assert message.contact is not None
    assert message.contact.changes.filter(kind="blocked").count() == 1
    assert "0 of 1 events changed." in run()


def test_hard_becomes_soft_and_the_block_ends_with_its_history(db: None) -> None:
    message = wrongly_hard()

    run()

    message.refresh_from_db()
    block = Block.objects.get()
    assert (message.status, message.reason) == (Status.SOFT_BOUNCE, "mailbox_full")
    assert block.ended_at is not None
    assert block.ended_by is None
    assert "better rule" in block.end_reason
    assert message.contact is not None
    assert message.contact.changes.get(kind="lifted").why == block.end_reason


def test_the_block_stays_where_another_bounce_proves_it(db: None) -> None:
    contact = make_contact()
    wrongly_hard(contact, minutes=50)
    proof = make_message(contact, bounce(Kind.HARD_BOUNCE, NO_SUCH_USER, "user_unknown", minutes=10))

    run()

    block = Block.objects.get()
    assert block.is_in_force
    assert block.message_id == proof.pk


def test_what_was_said_before_a_lift_does_not_block(db: None) -> None:
    contact = make_contact()
    make_message(contact, bounce(Kind.HARD_BOUNCE, NO_SUCH_USER, "user_unknown", minutes=40))
    record.lift(block_of(contact).pk, actor_id=make_user("Administrators").pk, reason="She called")
    make_message(contact, bounce(Kind.SOFT_BOUNCE, NO_SUCH_USER, minutes=20))

    run()

    assert not Block.objects.filter(ended_at=None).exists()


def test_only_what_was_asked_for(db: None) -> None:
    message = wrongly_soft()
    DeliveryEvent.objects.update(recorded_at=ago(days=9))

    assert "0 of 0 events" in run("--provider", "postmark")
    assert "0 of 0 events" in run("--since", ago(days=8).date().isoformat())
    assert "1 of 1 events" in run("--provider", "sendgrid", "--since", ago(days=10).isoformat())

    message.refresh_from_db()
    assert message.status == Status.HARD_BOUNCE
    with pytest.raises(CommandError):
        run("--since", "yesterday")


def test_words_that_no_rule_knows_leave_it_as_it_is() -> None:
    stored = Stored(UUID(int=1), 1, "sendgrid", "hard_bounce", START, "user_unknown", "", "", "Computer says no", None)

    assert judge(stored) is None


def test_sms_is_left_alone(db: None) -> None:
    make_message(make_contact(mobile="+46701234567"), bounce(Kind.SOFT_BOUNCE, NO_SUCH_USER), channel=Channel.SMS)

    assert "0 of 0 events" in run()


def test_a_report_that_is_kept_is_read_again(db: None) -> None:
    """SendGrid's "blocked" is never hard, whatever the words say; without the report, the words alone are left."""
    message = make_message(make_contact())
    item = {
        "event": "bounce", "type": "blocked", "sg_event_id": "e1", "timestamp": int(START.timestamp()),
        "email": "anna@example.se", "reason": NO_SUCH_USER, "engage": "",
    }  # fmt: skip
    kept = Report.objects.create(provider="sendgrid", body=json.dumps([item]).encode(), content_type="application/json")
    event = Event("sendgrid", Kind.SOFT_BOUNCE, START, "e1", message.pk, reason="unknown", diagnostic=NO_SUCH_USER)
    apply([SourcedEvent(event, kept.pk)])

    run()
    message.refresh_from_db()
    assert message.status == Status.SOFT_BOUNCE

    kept.delete()
    run()
    message.refresh_from_db()
    assert message.status == Status.HARD_BOUNCE


def test_what_decided_and_was_deleted_with_age_still_stands(db: None) -> None:
    message = make_message(make_contact(), bounce(Kind.SOFT_BOUNCE, NO_SUCH_USER, minutes=50))
    report(message, said(Kind.DELIVERED, ago(minutes=5)))
    DeliveryEvent.objects.filter(kind="delivered").delete()

    run()

    message.refresh_from_db()
    assert message.status == Status.DELIVERED


@pytest.mark.django_db(transaction=True)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(list(Kind)), st.integers(0, 4), WORDS), max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_afterwards_the_status_is_the_fold_of_the_events(told: list[tuple[int, Kind, int, str]]) -> None:
    with rolled_back():
        shared = contact_of()
        messages = [message_of(Channel.EMAIL, contact, status="waiting") for contact in (shared, shared, contact_of())]
        for n, (number, kind, hours, words) in enumerate(told):
            at = START + timedelta(hours=hours)
            event = Event("sendgrid", kind, at, f"e{n}", reason="unknown", diagnostic=words)
            assert apply([SourcedEvent(with_diagnostic(event, messages[number]))]) == []

        reclassify(is_dry_run=False)

        for message in messages:
            message.refresh_from_db()
            assert (message.status, message.rank, message.decided_by) == folded(message)
        check_blocks(messages)
        assert reclassify(is_dry_run=False).changes.total() == 0


def with_diagnostic(event: Event, message: Message) -> Event:
    named = with_message(event, message)
    return Event(
        **{**{name: getattr(named, name) for name in Event.__dataclass_fields__}, "diagnostic": event.diagnostic}
    )


def folded(message: Message) -> tuple[str, int, UUID | None]:
    """statuses.fold, of what is stored: the keys stay as they were recorded."""
    events = [event for event in message.events.all() if rank_of(Kind(event.kind), event.occurred_at)]
    if not events:
        return Status.WAITING, 0, None
    best = max(events, key=lambda event: (rank_of(Kind(event.kind), event.occurred_at), event.key))
    status = status_of(Kind(best.kind), Channel.EMAIL)
    if status == Status.DELIVERED and message.is_opened:
        status = Status.OPENED
    return str(status), rank_of(Kind(best.kind), best.occurred_at), best.key


def check_blocks(messages: list[Message]) -> None:
    for address_id in {message.address_id for message in messages}:
        hard = DeliveryEvent.objects.filter(message__address_id=address_id, kind="hard_bounce")
        first = min(((event.occurred_at, event.key) for event in hard), default=None)
        block = Block.objects.filter(address_id=address_id, ended_at=None).first()
        assert (block and (block.started_at, block.event_key)) == first
