"""Telnyx's messaging webhooks.

Fields: developers.telnyx.com, "Delivery update" (message.sent, message.finalized); signature: "Webhook fundamentals"
and Telnyx's own SDK (Ed25519 over timestamp and body, telnyx-signature-ed25519).
"""

from base64 import b64decode
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.parsing import message_named, object_of, text_of, when, within
from messaging.providers.replies import parse_reply
from messaging.providers.signatures import OLDEST
from messaging.providers.tables import codes_for, report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "telnyx"
# Others, such as message.received, are not about a message of ours.
OURS: Final = frozenset({"message.sent", "message.finalized", "message.read"})


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless one of the public keys' private halves signed the request, and lately."""
    given, timestamp = request.headers.get("telnyx-signature-ed25519", ""), request.headers.get("telnyx-timestamp", "")
    signed = f"{timestamp}|".encode("utf-8", "replace") + request.body
    proof.check_signature(SLUG, lambda key: _check(key, given, signed))
    proof.check_age(timestamp, OLDEST)


def _check(key: str, given: str, signed: bytes) -> None:
    _key_in(key).verify(b64decode(given), signed)


def _key_in(key: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(b64decode(key))


RECEIVED: Final = "message.received"


def parse(raw: Raw) -> ParsedReport:
    """The events of one webhook, or the wish in an SMS that somebody sent us. Raises UnreadableError."""
    data = object_of(raw.body).get("data")
    if not isinstance(data, dict) or not data.get("event_type"):
        raise UnreadableError("No data with an event_type: not a webhook of Telnyx.")
    if data["event_type"] == RECEIVED:
        sender, text = within(data, "payload", "from", "phone_number"), within(data, "payload", "text")
        return parse_reply(SLUG, text_of(sender), text_of(text), raw.received_at)
    return _events(raw, data, data.get("payload")) if data["event_type"] in OURS else ParsedReport()


def _events(raw: Raw, data: dict[str, Any], payload: Any) -> ParsedReport:
    to, error = _first(within(payload, "to")), _first(within(payload, "errors"))
    status, message = text_of(to.get("status")), text_of(within(payload, "id"))
    state = tables(SLUG)["statuses"].get(status)
    if state is None or not message:
        raise UnreadableError(f"No id, or unknown status {status!r}.")
    code, tags = text_of(error.get("code")), within(payload, "tags")
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=when(data.get("occurred_at"), raw),
        idempotency_key=text_of(data.get("id")) or f"{message} {status} {code}",
        message_id=message_named(*(tags if isinstance(tags, list) else [])),
        provider_message_id=message,
        provider_code=code,
        diagnostic=text_of(error.get("detail")) or text_of(error.get("title")),
        said_by=text_of(to.get("phone_number")),
    )
    return report_with_code(state, event, "codes", codes_for(SLUG, text_of(within(payload, "from", "phone_number"))))


def _first(found: object) -> dict[str, Any]:
    """We send to one recipient at a time."""
    return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}


provider = Provider(SLUG, "Telnyx", Channel.SMS, partial(proof.has_keys, SLUG), verify, parse, answer=200, key=_key_in)
