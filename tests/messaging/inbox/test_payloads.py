"""Every payload of every provider reads as the file beside it says: payloads/<provider>/<case>.<ext>, .expected.json.

The headers that came with it, where `read` needs any, are in .headers.json. What is binary stands as .hex, with
comments.
"""

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.bounces.reasons import HARD, REASONS
from messaging.providers.base import Raw, UnreadableError
from messaging.providers.mail import reports as mail
from messaging.providers.registry import providers
from messaging.status.order import Event, Kind
from messaging.tracking.tokens import token_of

PAYLOADS = Path(__file__).with_name("payloads")
BESIDE = (".expected.json", ".headers.json")
CASES = sorted(path for path in PAYLOADS.glob("*/*") if not path.name.endswith(BESIDE))
RECEIVED_AT = datetime(2026, 11, 3, 12, tzinfo=UTC)
NOT_REASONS = {"", "unsubscribe", "resubscribe"}


def raw_of(path: Path) -> Raw:
    text = path.read_text().replace("{{token}}", token_of(4711))
    body = bytes.fromhex(re.sub("#.*", "", text)) if path.suffix == ".hex" else text.encode()
    content_type = "application/x-www-form-urlencoded" if path.suffix == ".form" else "application/json"
    beside = path.with_suffix(".headers.json")
    headers = json.loads(beside.read_text()) if beside.exists() else {}
    return Raw(body, content_type, f"/webhooks/{path.parent.name}/?message={token_of(4711)}", RECEIVED_AT, headers)


def shown(event: Event, fields: dict[str, Any]) -> dict[str, Any]:
    values = {name: getattr(event, name) for name in fields}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_payload_reads_as_expected(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())

    reading = providers()[path.parent.name].parse(raw_of(path))

    assert len(reading.events) == len(expected["events"])
    for event, fields in zip(reading.events, expected["events"], strict=True):
        assert shown(event, fields) == fields
    problems = expected.get("problems", [])
    assert [told[: len(start)] for told, start in zip(reading.problems, problems, strict=True)] == problems


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_is_read_is_in_our_words(path: Path) -> None:
    for event in providers()[path.parent.name].parse(raw_of(path)).events:
        assert event.provider in (path.parent.name, mail.SLUG)
        assert event.reason in REASONS or event.reason in NOT_REASONS
        assert event.kind != Kind.HARD_BOUNCE or event.reason in HARD


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_truncated_payload_is_unreadable_or_read_in_part_but_never_a_fault(path: Path) -> None:
    raw = raw_of(path)
    for end in range(0, len(raw.body), max(1, len(raw.body) // 40)):
        with suppress(UnreadableError):
            providers()[path.parent.name].parse(replace(raw, body=raw.body[:end]))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{}", b"[" * 100_000, b"null", b"\x00", "ä".encode("utf-16")])
def test_nonsense_is_unreadable(body: bytes) -> None:
    for provider in providers().values():
        with pytest.raises(UnreadableError, match=r"."):
            provider.parse(Raw(body, "application/json", "/", RECEIVED_AT))
