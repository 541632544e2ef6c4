"""Soft bounces in a row: counted once a message, reset by whatever arrives, shown on the card; rules and their trial."""

from datetime import datetime

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from contacts.blocks.record import lift
from contacts.models import Block, Change, Channel, Contact
from messaging.models import BlockRule
from messaging.status.order import Kind
from messaging.suppression import rule_changes
from messaging.suppression.rules import DEFAULTS, SoftRule, rules
from messaging.suppression.soft_runs import runs_of
from tests.factories import (
    ago,
    block_of,
    hard_bounce,
    htmx,
    log_in,
    make_contact,
    make_message,
    make_user,
    report,
    said,
)

REASONS = frozenset({"mailbox_full"})


def full(at: datetime | None = None) -> object:
    return said(Kind.SOFT_BOUNCE, at, reason="mailbox_full", reply_code="452", status_code="4.2.2")


def bounced(contact: Contact, days: list[float]) -> None:
    """A soft bounce so many days ago, each of a message of its own."""
    for day in days:
        make_message(contact, full(ago(days=day)), sent_at=ago(days=day))  # type: ignore[arg-type]


@pytest.fixture
def three_in_ten_days(db: None) -> SoftRule:
    BlockRule.objects.create(channel="email", is_on=True, bounces=3, days=10, reasons=["mailbox_full"])
    return rules()[Channel.EMAIL]


@pytest.fixture
def anna(db: None) -> Contact:
    return make_contact()


def is_blocked(contact: Contact) -> bool:
    return Block.objects.filter(address=contact.email_address, ended_at=None).exists()


def test_ten_in_ninety_days_by_default_and_only_by_email(anna: Contact) -> None:
    assert (DEFAULTS[Channel.EMAIL].bounces, DEFAULTS[Channel.EMAIL].days) == (10, 90)
    assert not DEFAULTS[Channel.SMS].is_on

    bounced(anna, [80 - n for n in range(9)])
    assert not is_blocked(anna)

    bounced(anna, [1])
    block = block_of(anna)
    assert (block.cause, block.reason, block.code) == ("soft_bounces", "mailbox_full", "452 4.2.2")
    assert Change.objects.filter(kind="blocked", old="soft_bounces").count() == 1


def test_a_message_counts_once_however_often_it_was_tried(anna: Contact, three_in_ten_days: SoftRule) -> None:
    message = make_message(anna)
    for minutes in range(5):
        report(message, full(ago(minutes=minutes)))  # type: ignore[arg-type]

    assert not is_blocked(anna)


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.OPENED])
def test_what_arrives_resets_the_count(anna: Contact, three_in_ten_days: SoftRule, kind: Kind) -> None:
    bounced(anna, [6, 5])
    make_message(anna, said(kind, ago(days=4)), sent_at=ago(days=4))
    bounced(anna, [3, 2])
    assert not is_blocked(anna)

    bounced(anna, [1])
    assert is_blocked(anna)


def test_an_opening_resets_the_count_whatever_else_the_message_shows(db: None) -> None:
    anna, sms = make_contact(mobile="+46701740605"), Channel.SMS
    BlockRule.objects.create(channel="sms", is_on=True, bounces=2, days=10, reasons=["mailbox_full"])
    make_message(anna, full(ago(days=4)), channel=sms, sent_at=ago(days=4))  # type: ignore[arg-type]
    events = said(Kind.CLICKED, ago(days=3)), said(Kind.FAILED, ago(days=3))
    read = make_message(anna, *events, channel=sms, sent_at=ago(days=3))
    make_message(anna, full(ago(days=2)), channel=sms, sent_at=ago(days=2))  # type: ignore[arg-type]

    assert (read.status, read.is_opened) == ("failed", True)
    assert not Block.objects.filter(address=anna.mobile_address, ended_at=None).exists()
    assert runs_of({sms: anna.mobile_address_id or 0})[sms].count == 1


def test_what_takes_a_delivery_back_lets_the_run_before_it_count_again(db: None) -> None:
    anna, sms = make_contact(mobile="+46701740605"), Channel.SMS
    BlockRule.objects.create(channel="sms", is_on=True, bounces=1, days=10, reasons=["mailbox_full"])
    make_message(anna, full(ago(days=4)), channel=sms, sent_at=ago(days=4))  # type: ignore[arg-type]
    later = make_message(anna, said(Kind.DELIVERED, ago(days=3)), channel=sms, sent_at=ago(days=4))
    blocks = Block.objects.filter(address=anna.mobile_address, ended_at=None)
    assert not blocks.exists()

    report(later, said(Kind.FAILED, ago(days=2)))

    assert blocks.get().cause == "soft_bounces"


def test_other_reasons_neither_count_nor_reset(anna: Contact, three_in_ten_days: SoftRule) -> None:
    bounced(anna, [6, 5])
    make_message(anna, said(Kind.SOFT_BOUNCE, ago(days=4), reason="spam_suspected"))
    assert not is_blocked(anna)

    bounced(anna, [3])
    assert is_blocked(anna)


def test_too_far_apart_is_not_in_a_row(anna: Contact, three_in_ten_days: SoftRule) -> None:
    bounced(anna, [30, 19, 8])

    assert not is_blocked(anna)


def test_a_delivery_ends_the_block_and_the_history_says_so(anna: Contact, three_in_ten_days: SoftRule) -> None:
    late = make_message(anna, sent_at=ago(days=4))
    bounced(anna, [3, 2, 1])
    assert is_blocked(anna)

    report(late, said(Kind.DELIVERED, ago(hours=1)))

    block = Block.objects.get()
    assert block.ended_at is not None
    assert block.ended_by is None
    assert Change.objects.get(kind="lifted").why == block.end_reason


def test_after_a_lift_it_counts_from_the_beginning(anna: Contact, three_in_ten_days: SoftRule) -> None:
    bounced(anna, [3, 2, 1])
    lift(block_of(anna).pk, actor_id=make_user("Administrators").pk, reason="She called")

    make_message(anna, full(ago(minutes=-1)))  # type: ignore[arg-type]

    assert not is_blocked(anna)


def test_a_hard_bounce_takes_the_block_over(anna: Contact, three_in_ten_days: SoftRule) -> None:
    bounced(anna, [3, 2, 1])
    make_message(anna, hard_bounce())

    assert block_of(anna).cause == "one_hard_bounce"
    assert [change.old for change in anna.changes.filter(kind="blocked").order_by("pk")] == ["soft_bounces", ""]


def test_the_card_shows_the_count_and_its_reset(
    anna: Contact, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bounced(anna, [9, 6, 3])

    page = log_in().get(anna.get_absolute_url()).content.decode()

    assert "3 soft bounces in a row since" in page
    assert "a delivery resets the count. At 10 the address is blocked." in page
    with django_assert_num_queries(1):
        assert runs_of({Channel.EMAIL: anna.email_address_id or 0})[Channel.EMAIL].count == 3


def test_the_card_names_the_rule(anna: Contact, three_in_ten_days: SoftRule) -> None:
    bounced(anna, [3, 2, 1])

    marketer = log_in()
    head = marketer.get(anna.get_absolute_url()).content.decode()
    why = marketer.get(reverse("contacts:block", args=[anna.guid, block_of(anna).pk])).content.decode()
    history = marketer.get(reverse("contacts:history", args=[anna.guid])).content.decode()

    assert "Soft bounces in a row" in head
    assert "soft bounces in a row since" not in head
    assert "So many soft bounces in a row" in why
    assert "Soft bounces in a row" in history


def test_a_complaint_opts_out_and_does_not_block(anna: Contact) -> None:
    Contact.objects.update(email_consent_at=ago(days=100))
    make_message(anna, said(Kind.COMPLAINED, reason="complaint"))
    make_message(anna, said(Kind.UNSUBSCRIBED, reason="unsubscribe"))

    anna.refresh_from_db()
    assert not anna.accepts_email
    assert not Block.objects.exists()


# A changed rule


def rule_of(bounces: int, days: int = 90, *, is_on: bool = True) -> SoftRule:
    return SoftRule(Channel.EMAIL, is_on, bounces, days, REASONS)


def test_a_dry_run_says_what_would_change_and_changes_nothing(three_in_ten_days: SoftRule) -> None:
    blocked, near = make_contact(), make_contact()
    bounced(blocked, [3, 2, 1])
    bounced(near, [2, 1])

    stricter = rule_changes.dry_run(rule_of(2))
    milder = rule_changes.dry_run(rule_of(4))

    assert (stricter.blocked, stricter.lifted, stricter.to_block) == (1, 0, [near.email])
    assert (milder.blocked, milder.lifted, milder.to_lift) == (0, 1, [blocked.email])
    assert is_blocked(blocked)
    assert not is_blocked(near)


def test_what_the_rule_blocked_is_lifted_and_nothing_else(three_in_ten_days: SoftRule) -> None:
    soft, hard = make_contact(), make_contact()
    bounced(soft, [3, 2, 1])
    make_message(hard, hard_bounce())

    rule_changes.apply_rule(rule_of(3, is_on=False))

    assert not is_blocked(soft)
    assert is_blocked(hard)
    assert soft.changes.filter(kind="lifted").count() == 1


def test_blocks_that_a_delivery_missed_are_rechecked(anna: Contact, three_in_ten_days: SoftRule) -> None:
    message = make_message(anna)
    bounced(anna, [3, 2, 1])
    # As if another worker had recorded it while the block was being made.
    type(message).objects.filter(pk=message.pk).update(status="delivered", status_at=ago(minutes=1))

    assert rule_changes.look_after_blocks()["rechecked"] == 1
    assert not is_blocked(anna)


# The page


def filled(bounces: object, **more: str) -> dict[str, object]:
    return {
        "email-is_on": "on", "email-bounces": bounces, "email-days": 90, "email-reasons": ["mailbox_full"], **more,
    }  # fmt: skip


def test_the_page_says_what_a_rule_would_do_before_it_is_saved(three_in_ten_days: SoftRule) -> None:
    near = make_contact()
    bounced(near, [2, 1])
    administrator = log_in("Administrators")

    page = administrator.post(reverse("messaging:soft_rule", args=["email"]), filled(2, **{"try": "1"}))

    text = " ".join(page.content.decode().split())
    assert "Would block 1 address, lift 0." in text
    assert near.email in text
    assert "Save the rule" in text
    assert rules()[Channel.EMAIL] == three_in_ten_days


def test_saving_applies_it_and_names_who_did(three_in_ten_days: SoftRule) -> None:
    near = make_contact()
    bounced(near, [2, 1])
    administrator = log_in("Administrators")

    administrator.post(reverse("messaging:soft_rule", args=["email"]), filled(2, save="1"))
    assert rule_changes.apply_changed() == 1

    row = BlockRule.objects.get()
    assert (row.bounces, row.changed_by_id) == (2, int(administrator.session["_auth_user_id"]))
    assert row.applied_at is not None
    assert is_blocked(near)
    assert rule_changes.apply_changed() == 0


@pytest.mark.parametrize("bounces", ["", "1", "101", "many"])
def test_nonsense_is_refused_with_words(db: None, bounces: str) -> None:
    answer = log_in("Administrators").post(reverse("messaging:soft_rule", args=["email"]), filled(bounces, save="1"))

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not BlockRule.objects.exists()


@pytest.mark.parametrize("group", ["Marketers", "Support", ""])
def test_the_page_is_for_administrators_alone(db: None, group: str) -> None:
    other = log_in(group)

    assert other.get(reverse("messaging:block_rules")).status_code == 403
    assert other.post(reverse("messaging:soft_rule", args=["email"]), filled(2, save="1")).status_code == 403
    assert other.post(reverse("messaging:outage_rule"), {}).status_code == 403
    assert not BlockRule.objects.exists()


def test_only_administrators_are_led_there(db: None) -> None:
    address = f'href="{reverse("messaging:block_rules")}"'

    assert address in log_in("Administrators").get("/blocks/").content.decode()
    assert log_in().get("/blocks/").status_code == 403
    assert log_in().get(reverse("messaging:block_rules")).status_code == 403
    assert log_in("Administrators").get(reverse("messaging:block_rules"), headers=htmx()).status_code == 200
