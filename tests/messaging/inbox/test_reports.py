"""The way of a report: kept before it is answered, applied once, retried or set aside, never lost."""

import json
import os
from base64 import b64encode
from datetime import timedelta
from time import time
from urllib.parse import urlencode

import pytest
import redis
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from contacts.models import Block, Change, Channel
from messaging.inbox import claims, reports
from messaging.models import DeliveryEvent, Message, Report, Tally
from messaging.providers.twilio.webhook import signature
from messaging.status.order import Kind
from messaging.tracking.tokens import token_of
from tests.messaging.conftest import make_contact, make_message

pytestmark = pytest.mark.django_db


def fact(message: Message, event: str, number: int = 1, **more: object) -> dict[str, object]:
    return {
        "email": "anna@example.org",
        "event": event,
        "timestamp": int(time()) - 60 + number,
        "sg_event_id": f"{message.pk}-{number}",
        "engage": token_of(message.pk),
    } | more


def post_sendgrid(key: str, facts: object) -> HttpResponse:
    body, timestamp = json.dumps(facts).encode(), str(int(time()))
    private = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    signed = b64encode(private.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": signed,
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }
    return Client().post("/webhooks/sendgrid/", body, content_type="application/json", headers=headers)  # type: ignore[return-value]


def kept(facts: object, *, provider: str = "sendgrid", age: timedelta = timedelta(0)) -> Report:
    body = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    now = timezone.now() - age
    return Report.objects.create(provider=provider, body=body, received_at=now, next_at=now)


def test_a_signed_report_is_kept_raw_answered_and_applied(sendgrid_private_key: str) -> None:
    message = make_message()

    answer = post_sendgrid(sendgrid_private_key, [fact(message, "delivered")])

    assert answer.status_code == 204
    report = Report.objects.get()
    assert json.loads(bytes(report.body))[0]["event"] == "delivered"
    reports.apply_pending()
    message.refresh_from_db()
    report.refresh_from_db()
    assert (message.status, report.state, report.events, report.next_at) == ("delivered", "applied", 1, None)


def test_a_twilio_callback_finds_its_message_by_the_token_in_its_address(
    twilio_auth_token: str, settings: Settings
) -> None:
    message = make_message(Channel.SMS)
    path = f"/webhooks/twilio/?message={token_of(message.pk)}"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+46701234567"}
    signed = signature(twilio_auth_token, settings.PUBLIC_URL + path, list(form.items()))

    answer = Client().post(
        path,
        urlencode(form),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signed},
    )
    reports.apply_pending()

    message.refresh_from_db()
    assert (answer.status_code, message.status) == (204, "delivered")


@pytest.mark.parametrize("provider", ["sendgrid", "twilio"])
def test_a_forged_report_is_refused_counted_and_not_kept(provider: str) -> None:
    for _ in range(2):
        answer = Client().post(f"/webhooks/{provider}/", b"[]", content_type="application/json")
        assert answer.status_code == 403

    assert not Report.objects.exists()
    assert [tally.refused for tally in Tally.objects.filter(provider=provider)] == [2]


def test_other_methods_and_unknown_providers_are_turned_away() -> None:
    assert Client().get("/webhooks/sendgrid/").status_code == 405
    assert Client().post("/webhooks/nobody/", b"", content_type="text/plain").status_code == 404


def test_a_report_too_long_is_kept_with_the_error_and_applied_once_the_limit_is_raised(
    settings: Settings, sendgrid_private_key: str
) -> None:
    message = make_message()
    settings.REPORT_MAX_BYTES = 100
    assert post_sendgrid(sendgrid_private_key, [fact(message, "delivered")]).status_code == 204
    reports.apply_pending()
    assert "REPORT_MAX_BYTES" in Report.objects.get(state="unreadable").error

    settings.REPORT_MAX_BYTES = 1000
    reports.replay(Report.objects.all())
    reports.apply_pending()

    message.refresh_from_db()
    assert message.status == "delivered"


def test_a_report_beyond_all_measure_is_refused_with_413(settings: Settings, sendgrid_private_key: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    assert post_sendgrid(sendgrid_private_key, ["x" * 200]).status_code == 413


def test_a_lost_broker_loses_no_report(sendgrid_private_key: str, settings: Settings) -> None:
    message = make_message()
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}

    assert post_sendgrid(sendgrid_private_key, [fact(message, "delivered")]).status_code == 204
    assert reports.apply_pending() == 1


@pytest.mark.parametrize(("batches", "calls"), [(1, 0), (2, 1), (4, 1)])
def test_who_has_more_than_one_batch_calls_another_worker(
    batches: int, calls: int, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(claims, "CLAIM_REPORTS", 1)
    message = make_message()
    for number in range(batches):
        kept([fact(message, "delivered", number)])
    with redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket://", "unix://", 1)) as broker:
        before = calls_for_help(broker)
        reports.apply_pending()

        assert calls_for_help(broker) - before == calls


def calls_for_help(broker: redis.Redis) -> int:
    """Those that this process has put into the queue; others put theirs in, and waking a worker is no call for help."""
    waiting = [json.loads(task)["headers"] for task in broker.lrange("celery", 0, -1)]
    ours = [each for each in waiting if each["origin"].startswith(f"gen{os.getpid()}@")]
    return sum(each["expires"] is not None for each in ours)


def test_a_report_twice_changes_nothing_the_second_time() -> None:
    message = make_message()
    bounce = fact(message, "bounce", type="bounce", status="5.1.1", reason="550 5.1.1 User unknown")
    kept([bounce])
    reports.apply_pending()
    kept([bounce, bounce])
    reports.apply_pending()

    assert DeliveryEvent.objects.count() == Block.objects.count() == 1
    assert Change.objects.filter(kind=Change.Kind.BLOCKED).count() == 1


def test_a_report_that_overtakes_our_own_commit_is_tried_again_and_then_applied() -> None:
    message = make_message()
    number = message.pk + 1
    report = kept([fact(message, "delivered") | {"engage": token_of(number)}])
    reports.apply_pending()
    report.refresh_from_db()
    assert (report.state, report.unmatched) == ("unmatched", 1)
    assert report.next_at is not None
    assert report.next_at > timezone.now()

    late = make_message(id=number)
    Report.objects.update(next_at=timezone.now())
    reports.apply_pending()

    late.refresh_from_db()
    report.refresh_from_db()
    assert (late.status, report.state) == ("delivered", "applied")


def test_the_known_events_of_a_report_are_applied_while_the_unknown_wait() -> None:
    message = make_message()
    report = kept([fact(message, "delivered", 1), fact(message, "delivered", 2) | {"engage": token_of(10**9)}])
    reports.apply_pending()

    message.refresh_from_db()
    report.refresh_from_db()
    assert (message.status, report.events, report.unmatched) == ("delivered", 2, 1)


def test_after_a_day_a_report_without_a_message_is_set_aside() -> None:
    report = kept([fact(make_message(), "delivered") | {"engage": "no-token"}], age=timedelta(hours=24))
    reports.apply_pending()

    report.refresh_from_db()
    assert (report.state, report.next_at) == ("set_aside", None)


def test_the_providers_own_id_is_the_fallback_for_our_token() -> None:
    message = make_message(provider="sendgrid", provider_message_id="14c5d75ce93")
    other = make_message(provider="twilio", provider_message_id="14c5d75ce93")
    kept([fact(message, "delivered") | {"engage": "", "sg_message_id": "14c5d75ce93.filterdrecv-1-0.0"}])
    reports.apply_pending()

    message.refresh_from_db()
    other.refresh_from_db()
    assert (message.status, other.status) == ("delivered", "unknown")


@pytest.mark.parametrize("body", [b"not json", b"\xff\xfe\x00", b"{}", b'[{"event": "from_the_future"}]'])
def test_an_unreadable_report_is_kept_with_its_error_and_can_be_replayed(body: bytes) -> None:
    report = kept(body)
    reports.apply_pending()
    report.refresh_from_db()
    assert (report.state, bytes(report.body)) == ("unreadable", body)
    assert report.error

    message = make_message()
    Report.objects.update(body=json.dumps([fact(message, "delivered")]).encode())
    assert reports.replay(Report.objects.all()) == 1
    reports.apply_pending()

    report.refresh_from_db()
    assert (report.state, report.error) == ("applied", "")


def test_what_postgresql_cannot_hold_is_cleaned_and_stops_nobody_else() -> None:
    message, other = make_message(), make_message()
    said = "550 5.1.1 bad\x00 \ud800 user unknown " + "x" * 5000
    kept([fact(message, "bounce", reason=said, status="5.1.1", type="bounce", sg_message_id="a\x00b.1")])
    kept([fact(other, "delivered")])
    reports.apply_pending()

    message.refresh_from_db()
    other.refresh_from_db()
    assert (message.status, other.status) == ("hard_bounce", "delivered")
    assert len(message.diagnostic) == dict(reports.LONGEST)["diagnostic"]


def test_a_fault_in_an_adapter_is_kept_with_its_report_and_stops_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    message = make_message()
    faulty, good = kept([], provider="twilio"), kept([fact(message, "delivered")])
    monkeypatch.setattr("messaging.providers.twilio.webhook.parse_qsl", lambda *_, **__: 1 / 0)
    reports.apply_pending()

    message.refresh_from_db()
    faulty.refresh_from_db()
    good.refresh_from_db()
    assert (message.status, faulty.state, good.state) == ("delivered", "unreadable", "applied")
    assert "ZeroDivisionError" in faulty.error


def test_an_event_from_the_future_is_cut_to_the_time_of_receipt() -> None:
    message = make_message()
    report = kept([fact(message, "delivered", timestamp=int(time()) + 10**6)])
    reports.apply_pending()

    assert DeliveryEvent.objects.get().occurred_at == report.received_at


def test_a_hard_bounce_blocks_for_every_contact_with_the_address_and_each_history_says_so() -> None:
    anna = make_contact(email="shared@example.org")
    ben = make_contact(email="Shared@Example.org")
    kept([fact(make_message(contact=anna), "bounce", type="bounce", status="5.1.1", reason="550 5.1.1 User unknown")])
    reports.apply_pending()

    assert Block.objects.get().address_id == anna.email_address_id == ben.email_address_id
    assert {change.contact for change in Change.objects.filter(kind=Change.Kind.BLOCKED)} == {anna, ben}


@pytest.mark.parametrize(("event", "reason"), [("spamreport", "complaint"), ("unsubscribe", "unsubscribe")])
def test_a_complaint_or_unsubscribe_opts_out_and_leaves_status_and_address_alone(event: str, reason: str) -> None:
    message = make_message()
    kept([fact(message, "delivered", 1), fact(message, event, 2)])
    reports.apply_pending()

    message.refresh_from_db()
    assert message.contact is not None
    assert (message.status, message.contact.accepts_email) == ("delivered", False)
    change = Change.objects.get(kind=Change.Kind.OPTED_OUT)
    assert (change.why, change.message_id) == (reason, message.pk)
    assert not Block.objects.exists()


def test_a_person_who_subscribed_again_is_not_opted_out_by_an_older_report() -> None:
    message = make_message()
    assert message.contact is not None
    message.contact.email_consent_at = timezone.now()
    message.contact.save()
    kept([fact(message, "unsubscribe")])
    reports.apply_pending()

    message.contact.refresh_from_db()
    assert message.contact.accepts_email


def test_a_deleted_contact_leaves_the_block_of_its_address() -> None:
    message = make_message()
    kept([fact(message, "bounce", type="bounce", status="5.1.1", reason="550 5.1.1 User unknown")])
    reports.apply_pending()
    assert message.contact is not None
    email = message.contact.email
    message.contact.delete()

    again = make_contact(email=email)

    assert Block.objects.get(ended_at=None).address_id == again.email_address_id
    message.refresh_from_db()
    assert message.contact is None


def test_the_batch_of_a_claim_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "CLAIM_BYTES", 1)
    for number in range(3):
        kept([fact(make_message(), "delivered", number)])

    assert [reports.apply_batch() for _ in range(4)] == [1, 1, 1, 0]


def test_queries_do_not_grow_with_the_events(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    messages = [make_message() for _ in range(20)]
    why = "550 5.1.1 User unknown"
    kept([fact(message, "bounce", type="bounce", status="5.1.1", reason=why) for message in messages])
    kept([fact(message, "unsubscribe", 2) for message in messages])

    with django_assert_max_num_queries(24):
        reports.apply_batch()
    assert Block.objects.count() == 20
    assert DeliveryEvent.objects.filter(kind=Kind.UNSUBSCRIBED).count() == 20
