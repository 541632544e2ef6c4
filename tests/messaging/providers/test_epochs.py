"""Times that are numbers since 1970: seconds, milliseconds, microseconds and nanoseconds are told apart by their size."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.providers.base import Raw
from messaging.providers.parsing import moment_since_1970, since_1970, when
from messaging.providers.registry import providers

AT = datetime(2026, 11, 2, 12, 30, 15, tzinfo=UTC)
RECEIVED_AT = datetime(2026, 11, 3, tzinfo=UTC)
SECONDS = int(AT.timestamp())
AS = [SECONDS, SECONDS * 1_000, SECONDS * 1_000_000, SECONDS * 1_000_000_000]


def raw(slug: str, body: bytes) -> Raw:
    return Raw(body, "application/json", f"/webhooks/{slug}/", RECEIVED_AT)


def asked(slug: str, at: object) -> bytes:
    """A report of each provider whose times are numbers, in its documentation's words."""
    sns = {"eventType": "TEXT_DELIVERED", "messageId": "m1", "eventTimestamp": at}
    said: dict[str, Any] = {
        "brevo": {"event": "delivered", "email": "a@example.org", "ts_epoch": at, "message-id": "<1@x>"},
        "sendgrid": [{"event": "delivered", "email": "a@example.org", "timestamp": at, "sg_event_id": "1"}],
        "mailgun": {"signature": {}, "event-data": {"event": "delivered", "id": "1", "timestamp": at, "message": {}}},
        "mailjet": {"event": "sent", "time": at, "email": "a@example.org", "MessageID": 1},
        "sparkpost": [{"msys": {"message_event": {"type": "delivery", "event_id": "1", "timestamp": at}}}],
        "mailtrap": {"events": [{"event": "delivery", "event_id": "1", "timestamp": at, "message_id": "1"}]},
        "postal": {
            "event": "MessageSent", "timestamp": at, "uuid": "1",
            "payload": {"status": "Sent", "timestamp": at, "message": {"to": "a@example.org", "id": 1}},
        },
        "amazon_sms": {"Type": "Notification", "Message": json.dumps(sns)},
        "vonage": {"messageId": "1", "status": "delivered", "timestamp": at},
    }  # fmt: skip
    if slug == "mandrill":
        event = {"event": "delivered", "ts": at, "_id": "1", "msg": {"email": "a@example.org", "_id": "1"}}
        return b"mandrill_events=" + quote(json.dumps([event])).encode()
    return json.dumps(said[slug]).encode()


@pytest.mark.parametrize("at", [*AS, *map(str, AS), float(SECONDS)])
@pytest.mark.parametrize(
    "slug",
    ["brevo", "sendgrid", "mailgun", "mailjet", "mandrill", "sparkpost", "mailtrap", "postal", "amazon_sms", "vonage"],
)
def test_a_providers_number_is_the_same_time_in_any_unit(slug: str, at: object) -> None:
    (event,) = providers()[slug].parse(raw(slug, asked(slug, at))).events

    assert event.occurred_at == AT


@pytest.mark.parametrize("at", ["soon", "", None, -1, 10**30, True])
def test_what_is_no_time_is_that_of_receipt(at: object) -> None:
    assert since_1970(at, raw("x", b"")) == RECEIVED_AT
    assert when(at, raw("x", b"")) == RECEIVED_AT


@given(st.integers(10**9, 4 * 10**9), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_the_unit_is_told_by_the_size(seconds: int, parts: int) -> None:
    assert moment_since_1970(seconds * parts) == datetime.fromtimestamp(seconds, UTC)


def test_a_number_where_a_date_was_to_be_is_understood() -> None:
    assert when(str(SECONDS * 1000), raw("x", b"")) == AT
    assert when("2026-11-02T12:30:15Z", raw("x", b"")) == AT
