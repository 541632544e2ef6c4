"""Bird's webhooks: the events of the Bird API, and sms.outbound of the Channels API.

Bird API: bird.com/docs, "Webhooks", and Bird's own SDK; signed by the Standard Webhooks scheme (webhook-signature).
Channels API: docs.bird.com, "Message status and interactions"; signed as in "Verifying a webhook subscription". The
older REST API of MessageBird is messaging/providers/messagebird/.
"""

import hmac
from base64 import b64encode
from functools import partial
from hashlib import sha256
from typing import Any, Final

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.parsing import message_named, message_of, object_of, text_of, when, within
from messaging.providers.replies import parse_reply
from messaging.providers.signatures import OLDEST, among, public_url, same
from messaging.providers.tables import CodeMeaning, gsm_tables, report_of, report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "bird"
# What a signing secret of the Bird API begins with; the rest is base64.
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- no secret itself
# Our key in the metadata of a send request, which every event echoes.
OUR_METADATA: Final = "engage"
OUTBOUND: Final = "sms.outbound"
# An SMS that somebody sent us: EventSMSReceived of the SDK; docs.bird.com, "Receiving messages".
RECEIVED: Final = "sms.received"
INBOUND: Final = "sms.inbound"
# The source of a failure whose codes are those of GSM.
SMS_PLATFORM: Final = "sms-messagebird"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless one of the keys signed the request, by the scheme of either API, and lately."""
    (_verify_bird_api if "webhook-signature" in request.headers else _verify_channels_api)(request)


def _verify_channels_api(request: HttpRequest) -> None:
    timestamp = request.headers.get("messagebird-request-timestamp", "")
    given, url = request.headers.get("messagebird-signature", ""), public_url(request)
    proof.check_signature(SLUG, lambda key: same(given, signature(_key_in(key), timestamp, url, request.body)))
    proof.check_age(timestamp, OLDEST)


def signature(key: str, timestamp: str, url: str, body: bytes) -> str:
    """messagebird-signature of a request of the Channels API."""
    signed = f"{timestamp}\n{url}\n".encode("utf-8", "replace") + sha256(body).digest()
    return b64encode(hmac.digest(key.encode(), signed, "sha256")).decode()


def sign(url: str) -> Probe:
    made = signature(proof.keys_of(SLUG)[0], timestamp := proof.now(), url, b"")
    return Probe(url, {"messagebird-signature": made, "messagebird-request-timestamp": timestamp})


def _verify_bird_api(request: HttpRequest) -> None:
    number, timestamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    given = [each.removeprefix("v1,") for each in request.headers["webhook-signature"].split() if each[:3] == "v1,"]
    signed = f"{number}.{timestamp}.".encode("utf-8", "replace") + request.body
    proof.check_signature(SLUG, lambda key: _check(key, given, signed))
    proof.check_age(timestamp, OLDEST)


def _check(key: str, given: list[str], signed: bytes) -> None:
    among(given, b64encode(hmac.digest(proof.secret_in(key, SECRET_PREFIX), signed, "sha256")))


def _key_in(key: str) -> str:
    """Of either API: that of the Channels API is a text, that of the Bird API holds a secret."""
    if key.startswith(SECRET_PREFIX):
        proof.secret_in(key, SECRET_PREFIX)
    return key


def parse(raw: Raw) -> ParsedReport:
    """The events of one webhook; none where it is not about an SMS of ours. Raises UnreadableError."""
    report = object_of(raw.body)
    if isinstance(report.get("data"), dict) and report.get("type"):
        return _of_bird_api(raw, report, report["data"])
    if isinstance(report.get("payload"), dict) and report.get("event"):
        if report["event"] == INBOUND:
            return _reply_of_channels_api(raw, report["payload"])
        return _of_channels_api(raw, report["payload"]) if report["event"] == OUTBOUND else ParsedReport()
    raise UnreadableError("Neither type and data nor event and payload: not a webhook of Bird.")


def _of_bird_api(raw: Raw, report: dict[str, Any], data: dict[str, Any]) -> ParsedReport:
    kind, message = text_of(report["type"]), text_of(data.get("sms_id"))
    if kind == RECEIVED:
        return parse_reply(SLUG, text_of(data.get("from")), text_of(data.get("text")), raw.received_at)
    state, error = tables(SLUG)["events"].get(kind), data.get("error")
    if state is None:
        return ParsedReport()
    if not message:
        raise UnreadableError("No sms_id.")
    code, detail = text_of(within(error, "code")), text_of(within(error, "carrier_error_code"))
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=when(report.get("timestamp"), raw),
        idempotency_key=f"{message} {kind} {code}",
        message_id=message_named(within(data, "metadata", OUR_METADATA)),
        provider_message_id=message,
        provider_code=" ".join(filter(None, (code, detail))),
        diagnostic=text_of(within(error, "description")),
        said_by=text_of(data.get("carrier")) or text_of(data.get("to")),
    )
    return report_with_code(state, event, "errors", tables(SLUG)["errors"], code)


def _of_channels_api(raw: Raw, payload: dict[str, Any]) -> ParsedReport:
    message, status = text_of(payload.get("id")), text_of(payload.get("status"))
    state = tables(SLUG)["channels_states"].get(status)
    if state is None or not message:
        raise UnreadableError(f"No id, or unknown status {status!r}.")
    code = text_of(within(payload, "failure", "source", "code")) or text_of(within(payload, "failure", "code"))
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=when(payload.get("lastStatusAt"), raw),
        idempotency_key=f"{message} {status} {code}",
        message_id=message_of(raw, payload.get("reference")),
        provider_message_id=message,
        provider_code=code,
        diagnostic=text_of(payload.get("reason")),
    )
    return report_of(state, event, "channels", code, _failure(payload, code))


def _reply_of_channels_api(raw: Raw, payload: dict[str, Any]) -> ParsedReport:
    sender = text_of(within(payload, "sender", "contact", "identifierValue"))
    return parse_reply(SLUG, sender, text_of(within(payload, "body", "text", "text")), raw.received_at)


def _failure(payload: dict[str, Any], code: str) -> CodeMeaning | None:
    platform = tables("messagebird")["codes"] | gsm_tables()["map"]
    by_code = platform.get(code) if within(payload, "failure", "source", "name") == SMS_PLATFORM else None
    details = text_of(payload.get("details")).lower().replace(" ", "_")
    return by_code or tables(SLUG)["channels_details"].get(details)


provider = Provider(
    SLUG, "Bird", Channel.SMS, partial(proof.has_keys, SLUG), verify, parse, answer=200, sign=sign, key=_key_in
)
