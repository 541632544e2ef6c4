"""One click is one event, however many ids its provider gives it."""

import json
from datetime import UTC, datetime
from typing import Any

from messaging.providers.base import Raw
from messaging.providers.registry import providers
from messaging.status.order import key_of

CLICK = {
    "email": "anna@example.org", "timestamp": 1793700000, "event": "click", "url": "https://shop.example/a",
    "ip": "203.0.113.24", "useragent": "Mozilla/5.0", "sg_message_id": "m1.filter-1", "sg_event_id": "id-1",
}  # fmt: skip


def keys(slug: str, *items: Any) -> set[str]:
    raw = Raw(json.dumps(items).encode(), "application/json", f"/webhooks/{slug}/", datetime(2027, 1, 1, tzinfo=UTC))
    reading = providers()[slug].parse(raw)
    assert len(reading.events) == len(items)
    return {str(key_of(event)) for event in reading.events}


def test_a_click_that_sendgrid_sends_with_three_ids_is_one() -> None:
    assert len(keys("sendgrid", CLICK, CLICK | {"sg_event_id": "id-2"}, CLICK | {"sg_event_id": "id-3"})) == 1


def test_another_link_time_place_or_reader_is_another_click() -> None:
    others = [
        CLICK | {"url": "https://shop.example/b"},
        CLICK | {"timestamp": 1793700001},
        CLICK | {"ip": "203.0.113.25"},
        CLICK | {"useragent": "curl/8"},
        CLICK | {"event": "open"},
        CLICK | {"sg_message_id": "m2.filter-1"},
    ]
    assert len(keys("sendgrid", CLICK, *others)) == 7


def test_the_same_of_mailjet_and_sparkpost() -> None:
    mailjet = {
        "event": "click",
        "time": 1793700000,
        "MessageID": 1,
        "email": "a@example.org",
        "url": "https://x.example",
    }
    assert len(keys("mailjet", mailjet, mailjet | {"Message_GUID": "2"})) == 1
    told = {
        "type": "click",
        "event_id": "1",
        "timestamp": "1793700000",
        "transmission_id": "m",
        "target_link_url": "https://x",
    }
    sparkpost = [{"msys": {"track_event": told | {"event_id": number}}} for number in ("1", "2")]
    assert len(keys("sparkpost", *sparkpost)) == 1
