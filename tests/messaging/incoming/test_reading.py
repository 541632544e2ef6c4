"""What becomes of a mail once it is kept: which message it is about, and what that makes of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from contacts.models import Block, Channel, Contact
from messaging.inbox import reports
from messaging.inbox.writer import ReportWriter
from messaging.incoming import mails
from messaging.incoming.addresses import return_path
from messaging.models import DeliveryEvent, Message, Report
from messaging.providers.mail.reports import fingerprint, parse_mail
from messaging.status.order import Kind
from messaging.status.timeline import Effect, timeline
from messaging.tracking.tokens import Purpose, token_of
from tests.messaging.conftest import make_contact, make_message
from tests.messaging.incoming.letters import bounce_of, letter, our_message_id

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def message(transactional_db: None) -> Message:
    return make_message(sent_at=timezone.now() - timedelta(hours=2))


def arrive(mail: bytes, *recipients: str, **fields: Any) -> Report:
    """Kept as all ways keep it, and applied."""
    assert ReportWriter("test").keep_all([mails.kept(mail, "test", recipients=recipients, **fields)])
    reports.apply_pending()
    return Report.objects.latest("pk")


def status_of(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def about(message: Message, name: str = "postfix_user_unknown", **fields: str) -> bytes:
    return letter(name, recipient=message.address.value, **fields)


def test_by_the_return_path_in_the_headers_where_the_envelope_is_not_known(message: Message) -> None:
    arrive(about(message, to=return_path(message.pk)))

    assert status_of(message) == "hard_bounce"


def test_by_our_message_id_in_the_returned_mail(message: Message) -> None:
    arrive(about(message, returned=our_message_id(message)), "bounce@bounces.shop.example")

    assert status_of(message) == "hard_bounce"
    assert DeliveryEvent.objects.get().caveat == "named"
    assert not Block.objects.exists()


def test_a_message_id_blocks_once_a_report_about_another_message_agrees(message: Message) -> None:
    other = make_message(contact=message.contact, sent_at=timezone.now() - timedelta(hours=1))

    for _ in range(2):  # the same message twice is no second report
        arrive(about(message, returned=our_message_id(message)), "bounce@bounces.shop.example")
    assert not Block.objects.exists()

    arrive(about(other, returned=our_message_id(other)), "bounce@bounces.shop.example")
    assert Block.objects.get().address == message.address


def test_the_return_path_goes_before_what_the_mail_says(message: Message) -> None:
    other = make_message()

    arrive(about(message, returned=our_message_id(other)), return_path(message.pk))

    assert (status_of(message), status_of(other)) == ("hard_bounce", "unknown")


def test_a_mail_that_came_to_two_return_paths_is_about_both(message: Message) -> None:
    other = make_message(address=message.address)

    arrive(about(message), return_path(message.pk), return_path(other.pk))

    assert (status_of(message), status_of(other)) == ("hard_bounce", "hard_bounce")


def test_a_made_up_token_names_nothing(message: Message, settings: Settings) -> None:
    settings.BOUNCE_GUESS = False
    forged = return_path(message.pk)[:-30] + "aaaa" + return_path(message.pk)[-26:]

    report = arrive(about(message, returned=f"Message-ID: <{message.pk}-aaaabbbbccccdddd@x.example>"), forged)

    assert (report.state, status_of(message)) == ("unmatched", "unknown")


def test_by_address_and_time_the_newest_is_guessed_and_says_so(message: Message) -> None:
    older = make_message(contact=message.contact, sent_at=timezone.now() - timedelta(days=3))

    arrive(about(message))

    assert (status_of(message), status_of(older)) == ("hard_bounce", "unknown")
    assert DeliveryEvent.objects.get().caveat == "guessed"
    message.refresh_from_db()
    assert message.is_guessed
    assert not Block.objects.exists()


@pytest.mark.parametrize("age", [timedelta(days=5, hours=1), timedelta(hours=-1)])
def test_no_message_from_days_before_or_from_afterwards_is_guessed(message: Message, age: timedelta) -> None:
    Message.objects.update(sent_at=timezone.now() - age)

    assert arrive(about(message)).state == "unmatched"
    assert status_of(message) == "unknown"


def test_where_two_people_share_an_address_nothing_is_guessed(message: Message) -> None:
    shared = make_contact(email=message.address.value)
    assert arrive(about(message)).events == 1
    assert status_of(message) == "hard_bounce"  # only one of them was written to

    other = make_message(contact=shared, sent_at=timezone.now() - timedelta(hours=1))
    report = arrive(about(message) + b"Once more\r\n")

    assert (report.state, status_of(other)) == ("unmatched", "unknown")


def test_guessing_can_be_turned_off(message: Message, settings: Settings) -> None:
    settings.BOUNCE_GUESS = False

    assert arrive(about(message)).state == "unmatched"


def test_a_forged_bounce_of_many_addresses_blocks_none(message: Message) -> None:
    others = [make_message(sent_at=timezone.now() - timedelta(hours=1)) for _ in range(5)]
    whole = about(message).decode()
    start = whole.index("Final-Recipient")
    end = whole.index("--4F1A", start)
    groups = [whole[start:end].replace(message.address.value, each.address.value) for each in (message, *others)]

    report = arrive((whole[:start] + "".join(groups) + whole[end:]).encode())

    assert (report.state, report.events, report.unmatched) == ("unmatched", 6, 6)
    assert not Block.objects.exists()


def test_any_number_of_guesses_take_one_query(
    message: Message, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    others = [make_message(sent_at=timezone.now() - timedelta(hours=1)) for _ in range(20)]
    ReportWriter("test").keep_all(mails.kept(about(each), "test") for each in (message, *others))

    with django_assert_max_num_queries(20):
        reports.apply_batch()

    assert set(Message.objects.values_list("status", flat=True)) == {"hard_bounce"}


def test_a_dead_address_to_which_it_was_passed_on_does_not_block_ours(message: Message) -> None:
    arrive(letter("postfix_user_unknown", recipient="left@example.net"), return_path(message.pk))

    assert status_of(message) == "soft_bounce"
    event = DeliveryEvent.objects.get()
    assert (event.kind, event.caveat, event.reason) == ("soft_bounce", "passed_on", "unknown")
    assert not Block.objects.exists()


def test_the_same_mailbox_under_another_domain_of_theirs_is_ours(message: Message) -> None:
    inside = message.address.value.replace("@", "@mail.internal.")

    arrive(letter("postfix_user_unknown", recipient=inside.upper()), return_path(message.pk))

    assert status_of(message) == "hard_bounce"


@pytest.mark.parametrize(
    ("ours", "named"),
    [
        ("anna@example.org", "anna+news@example.org"),
        ("anna+news@example.org", "anna@example.org"),
        ("anna@example.org", "ANNA@EXAMPLE.ORG"),
        ("anna@example.org", "anna@mx1.mail.example.org"),
        ("anna@mail.example.org", "anna@example.org"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@faß.example", "anna@xn--fa-hia.example"),
    ],
)
def test_a_bounce_of_our_recipient_is_hard_however_a_server_writes_it(ours: str, named: str) -> None:
    message = make_message(contact=make_contact(email=ours))

    arrive(letter("postfix_user_unknown", recipient=named), return_path(message.pk))

    assert status_of(message) == "hard_bounce"
    assert Block.objects.get().address == message.address


@pytest.mark.parametrize("named", ["anna@xn--fa-hia.example", "anna@faß.example", "anna@XN--FA-HIA.example"])
def test_without_a_token_the_ascii_form_of_a_domain_finds_the_message_and_the_address(named: str) -> None:
    message = make_message(contact=make_contact(email="anna@faß.example"), sent_at=timezone.now() - timedelta(hours=2))

    arrive(letter("postfix_user_unknown", recipient=named), "bounce@bounces.shop.example")

    event = DeliveryEvent.objects.get()
    assert (event.message_id, event.kind, event.caveat) == (message.pk, "hard_bounce", "guessed")
    assert not Block.objects.exists()


@pytest.mark.parametrize(
    "named",
    [
        "anna@example.net",
        "anna@notexample.org",
        "anna@example.org.evil.example",
        "annika@example.org",
        "anna=example.org@relay.example",
        "SRS0=ab=cd=example.org=anna@forwarder.example",
        "anna_example.org#EXT#@tenant.example",
        "anna%example.org@gateway.example",
    ],
)
def test_a_bounce_of_any_other_address_is_passed_on_whoever_has_the_token(named: str) -> None:
    message = make_message(contact=make_contact(email="anna@example.org"))

    arrive(letter("postfix_user_unknown", recipient=named), return_path(message.pk))

    event = DeliveryEvent.objects.get()
    assert (event.kind, event.caveat, status_of(message)) == ("soft_bounce", "passed_on", "soft_bounce")
    assert not Block.objects.exists()


def test_a_bounce_that_names_nobody_is_about_the_message_whose_return_path_it_came_to(message: Message) -> None:
    mail = about(message).replace(message.address.value.encode(), b"")

    arrive(mail, return_path(message.pk))

    assert status_of(message) == "hard_bounce"


def test_an_automatic_reply_shows_and_changes_nothing(message: Message) -> None:
    reply = about(message, "vacation", returned=our_message_id(message).replace("Message-ID", "In-Reply-To"))

    arrive(reply)

    event = DeliveryEvent.objects.get()
    assert (event.kind, status_of(message)) == ("replied", "unknown")
    (entry,) = timeline(Channel.EMAIL, [event])
    assert (entry.effect, entry.status) == (Effect.NOTHING, "waiting")
    assert "A program answered" in str(entry.note)


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.LEAVE, Purpose.BOUNCE}))
def test_a_complaint_that_only_names_a_message_is_shown_and_changes_nobodys_consent(
    message: Message, purpose: Purpose
) -> None:
    arrive(about(message, "complaint", returned=f"Message-ID: <{token_of(message.pk, purpose)}@shop.example>"))
    arrive(about(message, "complaint", returned="X-Copied: nothing"))

    assert set(DeliveryEvent.objects.values_list("kind", "caveat")) == {
        ("complained", "named"),
        ("complained", "guessed"),
    }
    assert Contact.objects.get().accepts_email
    entries = timeline(Channel.EMAIL, DeliveryEvent.objects.all())
    assert all("Nothing proves" in str(entry.note) for entry in entries)


def test_a_complaint_opts_out_and_does_not_block(message: Message) -> None:
    way_out = f"List-Unsubscribe: <https://shop.example/u/{token_of(message.pk, Purpose.LEAVE)}/>"
    arrive(about(message, "complaint", returned=way_out))

    assert DeliveryEvent.objects.get().kind == "complained"
    assert not Contact.objects.get().accepts_email
    assert not Block.objects.exists()


def test_what_is_no_bounce_is_kept_and_done_with(message: Message) -> None:
    report = arrive(letter("spam"), return_path(message.pk))

    assert (report.state, report.events, report.error) == ("applied", 0, "")
    assert status_of(message) == "unknown"


def test_nothing_at_all_is_unreadable() -> None:
    assert arrive(b" \r\n").state == "unreadable"


def test_what_a_stranger_writes_into_the_envelope_can_be_kept() -> None:
    report = arrive(letter("spam"), "a\0b c\udc80@x", sender="\0\ud800" + "y" * 1000)

    assert report.headers["recipients"] == "a?b?c?@x"
    assert report.headers["sender"].startswith("??yyy")


@pytest.mark.parametrize(
    ("arrived", "occurred"),
    [
        # A clock that is a few minutes off.
        (datetime.fromisoformat("2026-11-03T11:50:00Z"), "2026-11-03T11:50:00+00:00"),
        (datetime.fromisoformat("2026-11-03T11:20:00Z"), "2026-11-03T11:20:00+00:00"),
        # The mail has waited for us.
        (datetime.fromisoformat("2026-11-05T11:30:00Z"), "2026-11-03T11:30:02+00:00"),
        # A clock that is a year off.
        (datetime.fromisoformat("2027-11-03T11:30:00Z"), "2027-11-03T11:30:00+00:00"),
    ],
)
def test_a_foreign_clock_counts_where_the_mail_has_waited(message: Message, arrived: datetime, occurred: str) -> None:
    (event,) = parse_mail(bounce_of(message), [return_path(message.pk)], arrived).events

    assert (event.kind, event.occurred_at.isoformat()) == (Kind.HARD_BOUNCE, occurred)


def test_a_mail_is_known_again_whatever_was_written_on_its_way() -> None:
    mail = letter("spam")
    on_the_way = b"Return-Path: <>\nReceived: from a by b;\n\tTue, 3 Nov 2026 11:30:02 +0000\nX-Spam-Score: 3\n"

    assert fingerprint(on_the_way + mail.replace(b"\r\n", b"\n")) == fingerprint(mail) == fingerprint(mail + b"\r\n")
    assert fingerprint(mail.replace(b"\r\n", b"\r")) == fingerprint(mail)
    assert fingerprint(mail.replace(b"watches", b"clocks")) != fingerprint(mail)
    assert fingerprint(mail.replace(b"spam-1@", b"spam-2@")) != fingerprint(mail)


@given(st.binary(max_size=2_000), st.lists(st.text(max_size=60), max_size=3))
def test_any_bytes_and_any_envelope_are_read_without_a_fault(body: bytes, to: list[str]) -> None:
    whole = letter("postfix_user_unknown", to=return_path(4711))
    arrived_at = datetime(2026, 11, 3, 12, tzinfo=UTC)

    parse_mail(body, to, arrived_at)
    assert [event.message_id for event in parse_mail(whole + body, to, arrived_at).events] == [4711]
