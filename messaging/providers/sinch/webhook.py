"""Sinch's SMS delivery reports (REST API).

Fields: developers.sinch.com, "SMS: Webhooks" (recipient_delivery_report_sms, delivery_report_sms); signature: HMAC,
the same page and Sinch's own SDK (base64 of HMAC-SHA256 over body, nonce and timestamp).
"""

import hmac
from base64 import b64encode
from functools import partial
from typing import Any, Final

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.parsing import message_named, object_of, text_of, when
from messaging.providers.replies import parse_reply
from messaging.providers.signatures import OLDEST, same
from messaging.providers.tables import report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "sinch"
SIGNATURE: Final = "x-sinch-webhook-signature"
PER_RECIPIENT: Final = "recipient_delivery_report_sms"
PER_BATCH: Final = "delivery_report_sms"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless one of the secrets signed the request, and lately."""
    nonce, timestamp = request.headers.get(f"{SIGNATURE}-nonce", ""), request.headers.get(f"{SIGNATURE}-timestamp", "")
    given = request.headers.get(SIGNATURE, "")
    proof.check_signature(SLUG, lambda key: same(given, signature(key, request.body, nonce, timestamp)))
    proof.check_age(timestamp, OLDEST)


def signature(key: str, body: bytes, nonce: str, timestamp: str) -> str:
    signed = body + f".{nonce}.{timestamp}".encode("utf-8", "replace")
    return b64encode(hmac.digest(key.encode(), signed, "sha256")).decode()


def sign(url: str) -> Probe:
    made = signature(proof.keys_of(SLUG)[0], b"", "probe", timestamp := proof.now())
    return Probe(url, {SIGNATURE: made, f"{SIGNATURE}-nonce": "probe", f"{SIGNATURE}-timestamp": timestamp})


INBOUND: Final = "mo_text"
# "Webhooks": what others sent us, and reports on MMS, which Engage does not send.
NO_REPORTS: Final = frozenset({"mo_binary", "mo_media", "delivery_report_mms", "recipient_delivery_report_mms"})


def parse(raw: Raw) -> ParsedReport:
    """The events of one report, or the wish in an SMS that somebody sent us ("Inbound Messages"). Raises
    UnreadableError.
    """
    report = object_of(raw.body)
    if report.get("type") == INBOUND:
        return parse_reply(SLUG, text_of(report.get("from")), text_of(report.get("body")), raw.received_at)
    if report.get("type") == PER_RECIPIENT:
        return _events(raw, report, report)
    if report.get("type") == PER_BATCH:
        return _events(raw, report, _only_status(report))
    if report.get("type") in NO_REPORTS:
        return ParsedReport()
    raise UnreadableError(f"Unknown type {text_of(report.get('type'))!r}: not an SMS delivery report.")


def _only_status(report: dict[str, Any]) -> dict[str, Any]:
    statuses = report.get("statuses")
    if report.get("total_message_count") != 1 or not isinstance(statuses, list) or len(statuses) != 1:
        raise UnreadableError('A report on several recipients: send with "delivery_report": "per_recipient".')
    if not isinstance(statuses[0], dict):
        raise UnreadableError("No status.")
    return statuses[0]


def _events(raw: Raw, report: dict[str, Any], entry: dict[str, Any]) -> ParsedReport:
    batch, status, code = (text_of(each) for each in (report.get("batch_id"), entry.get("status"), entry.get("code")))
    state = tables(SLUG)["statuses"].get(status.lower())
    if state is None or not batch:
        raise UnreadableError(f"No batch_id, or unknown status {status!r}.")
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        # Sinch's own clock; operator_status_at is that of whichever operator.
        occurred_at=when(report.get("at"), raw),
        idempotency_key=f"{batch} {text_of(report.get('recipient'))} {status} {code}",
        message_id=message_named(report.get("client_reference")),
        provider_message_id=batch,
        provider_code=code,
        said_by=text_of(report.get("recipient")),
    )
    return report_with_code(state, event, "codes", tables(SLUG)["codes"])


provider = Provider(SLUG, "Sinch", Channel.SMS, partial(proof.has_keys, SLUG), verify, parse, sign=sign)
