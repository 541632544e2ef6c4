"""Status reports of MessageBird's REST API (Bird's older one).

Fields: developers.messagebird.com, "SMS messaging: Handle a status report" (by GET, or by POST); signature: "Verify
HTTP requests" and MessageBird's own SDK (a JWT with hashes of address and body, MessageBird-Signature-JWT).
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ForgedError, ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.parsing import fields_of, message_of, text_of, when
from messaging.providers.signatures import claims_of, public_url
from messaging.providers.tables import CodeMeaning, events_of, gsm_tables, report_of, tables
from messaging.status.order import Event, Kind

SLUG: Final = "messagebird"
ISSUER: Final = "MessageBird"
# Between their clock and ours.
LEEWAY: Final = timedelta(minutes=1)
# What MessageBird says of a message that ran out of time without a word from the operator.
NO_REPORT: Final = "dlr_not_received"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a signing key signed the address, the body and a time that is now."""
    claims = claims_of(request.headers.get("MessageBird-Signature-JWT", ""), SLUG)
    if claims.get("iss") != ISSUER:
        raise ForgedError("Not from MessageBird.")
    if claims.get("url_hash") != _hash(public_url(request).encode()):
        raise ForgedError("The signature is of another address (see PUBLIC_URL).")
    if (claims.get("payload_hash") or None) != (_hash(request.body) if request.body else None):
        raise ForgedError("The signature is of another body.")
    if not _time_of(claims, "nbf") - LEEWAY <= datetime.now(UTC) <= _time_of(claims, "exp") + LEEWAY:
        raise ForgedError("The signature is too old: a replayed request.")


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()


def _time_of(claims: dict[str, Any], name: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(claims[name]), UTC)
    except (KeyError, ValueError, TypeError, OverflowError, OSError) as error:
        raise ForgedError(f"The signature has no {name}.") from error


def parse(raw: Raw) -> ParsedReport:
    """The events of one status report. Raises UnreadableError."""
    fields = fields_of(raw.body, raw.path)
    message, status = fields.get("id", ""), fields.get("status", "").lower()
    state = tables(SLUG)["statuses"].get(status)
    if state is None or not message:
        raise UnreadableError(f"No id, or unknown status {status!r}: not a status report.")
    reason, code = fields.get("statusReason", ""), fields.get("statusErrorCode", "")
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=when(fields.get("statusDatetime"), raw),
        idempotency_key=f"{message} {fields.get('recipient', '')} {status} {reason} {code}",
        message_id=message_of(raw, fields.get("reference")),
        provider_message_id=message,
        provider_code=code,
        diagnostic=reason,
        said_by=text_of(fields.get("recipient")),
    )
    return _parse_receipt(state, reason.lower().replace(" ", "_"), event)


def _parse_receipt(state: CodeMeaning, reason: str, event: Event) -> ParsedReport:
    known = tables(SLUG)["reasons"].get(reason)
    if state.kind is Kind.EXPIRED and reason == NO_REPORT and known:
        return ParsedReport(events_of(known, event))
    code = event.provider_code
    found = tables(SLUG)["codes"].get(code) or gsm_tables()["map"].get(code)
    return report_of(state, event, "gsm map", code, found or known)


provider = Provider(
    SLUG, "MessageBird", Channel.SMS, partial(proof.has_keys, SLUG), verify, parse, methods=("GET", "POST"), answer=200
)
