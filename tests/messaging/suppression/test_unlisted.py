"""Codes that a table lacks are named, one for one, and those that it has, or that say nothing, are not."""

import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from messaging.providers.base import Raw
from messaging.providers.registry import providers
from messaging.status.order import Kind
from tests.messaging.inbox.test_payloads import CASES, raw_of

FORM = "application/x-www-form-urlencoded"


def read(provider: str, said: object) -> tuple[list[tuple[str, str]], list[Kind]]:
    body, content_type = (urlencode(said), FORM) if provider == "twilio" else (json.dumps(said), "application/json")  # type: ignore[arg-type]
    raw = Raw(body.encode(), content_type, f"/webhooks/{provider}/", datetime(2026, 11, 24, 12, tzinfo=UTC))
    reading = providers()[provider].parse(raw)
    return [(each.space, each.code) for each in reading.unmapped], [event.kind for event in reading.events]


def twilio(status: str, code: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": status, "ErrorCode": code}


@pytest.mark.parametrize(
    ("status", "code", "missing"),
    [
        ("failed", "39999", [("codes", "39999")]),
        ("failed", "30003", []),
        ("failed", "", []),
        ("failed", "0", []),
        # Nobody asks why where nothing went wrong.
        ("delivered", "39999", []),
    ],
)
def test_an_sms_gateways_code(status: str, code: str, missing: list[tuple[str, str]]) -> None:
    assert read("twilio", twilio(status, code))[0] == missing


@pytest.mark.parametrize(
    ("bounce_type", "missing"), [("HardBounce", []), ("NewSortOfBounce", [("bounces", "NewSortOfBounce")])]
)
def test_an_email_providers_class(bounce_type: str, missing: list[tuple[str, str]]) -> None:
    bounce = {
        "RecordType": "Bounce", "Type": bounce_type, "ID": 1, "Email": "anna@example.org", "MessageID": "m",
        "BouncedAt": "2026-11-24T11:00:00Z", "Details": "rejected", "Description": "rejected",
    }  # fmt: skip

    assert read("postmark", bounce)[0] == missing


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_code_that_is_not_listed_never_blocks(path: object) -> None:
    reading = providers()[path.parent.name].parse(raw_of(path))  # type: ignore[attr-defined, arg-type]

    listed = [event for event in reading.events if event.kind == Kind.HARD_BOUNCE]
    codes = {each.code for each in reading.unmapped}
    # What the mail server said may still be proof; a code alone is none.
    assert all(event.provider_code not in codes or event.status_code or event.reply_code for event in listed)
