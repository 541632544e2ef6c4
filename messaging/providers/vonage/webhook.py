"""Vonage: delivery receipts of the SMS API and status webhooks of the Messages API.

Fields: developer.vonage.com, "SMS API" (delivery-receipt) and "Messages API" (message-status); signatures: "Signing
Messages" for the SMS API, "Signed Webhooks" for the Messages API. A receipt comes by GET or POST, as the account says.
"""

import hmac
from functools import partial
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ForgedError, ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.parsing import (
    OUR_PARAMETER,
    fields_of,
    message_named,
    object_of,
    since_1970,
    text_of,
    when,
    within,
)
from messaging.providers.replies import parse_reply
from messaging.providers.signatures import OLDEST, claims_of, same
from messaging.providers.tables import of_a_part, report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "vonage"
# The algorithms that we take, by the length of their signature in hexadecimal; MD5 and SHA-1 are not among them.
SIGNED_WITH: Final = {64: "sha256", 128: "sha512"}


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a signature secret signed the request, as a JWT or as its `sig`, and lately."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        _verify_jwt(token.strip(), request.body)
    else:
        _verify_sig(request)


def _verify_sig(request: HttpRequest) -> None:
    try:
        fields = fields_of(request.body, request.get_full_path())
    except UnreadableError as error:
        raise ForgedError(f"No signed fields: {error}") from error
    given = fields.pop("sig", "").lower()
    if len(given) not in SIGNED_WITH:
        raise ForgedError("No signature, or not of SHA-256 HMAC or SHA-512 HMAC.")
    # Vonage does not sign what our own address says, and nobody reads it.
    fields.pop(OUR_PARAMETER, None)
    proof.check_signature(SLUG, lambda key: same(given, signature(key, fields, SIGNED_WITH[len(given)])))
    proof.check_age(fields.get("timestamp", ""), OLDEST)


def signature(key: str, fields: dict[str, str], algorithm: str) -> str:
    """The `sig` of a receipt with these fields."""
    signed = "".join(f"&{name}={_plain(fields[name])}" for name in sorted(fields))
    return hmac.new(key.encode(), signed.encode("utf-8", "replace"), algorithm).hexdigest()


def sign(url: str) -> Probe:
    fields = {"timestamp": proof.now()}
    made = signature(proof.keys_of(SLUG)[0], fields, SIGNED_WITH[64])
    return Probe(f"{url}?{urlencode(fields | {'sig': made})}")


def _plain(value: str) -> str:
    return value.replace("&", "_").replace("=", "_")


def _verify_jwt(token: str, body: bytes) -> None:
    claims = claims_of(token, SLUG)
    if not body:
        raise ForgedError("The JWT is of a body, and there is none.")
    if not hmac.compare_digest(text_of(claims.get("payload_hash")).encode(), sha256(body).hexdigest().encode()):
        raise ForgedError("The JWT is not of this body.")
    proof.check_age(text_of(claims.get("iat")), OLDEST)


def parse(raw: Raw) -> ParsedReport:
    """The events of one receipt or status, or the wish in an SMS that somebody sent us ("Inbound SMS"; "Inbound
    message"). Raises UnreadableError.
    """
    # A JWT is of the body alone.
    fields = fields_of(raw.body, "" if raw.body else raw.path)
    if "text" in fields and "status" not in fields:
        return parse_reply(SLUG, fields.get("msisdn") or fields.get("from", ""), fields["text"], raw.received_at)
    if fields.get("message_uuid"):
        return _of_messages_api(raw, object_of(raw.body))
    if fields.get("messageId"):
        return _of_sms_api(raw, fields)
    raise UnreadableError("No messageId and no message_uuid: not a delivery receipt.")


def _of_sms_api(raw: Raw, fields: dict[str, str]) -> ParsedReport:
    status, code = fields.get("status", "").lower(), fields.get("err-code", "")
    state = tables(SLUG)["sms_states"].get(status)
    if state is None:
        raise UnreadableError(f"Unknown status {status!r}.")
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        # scts and message-timestamp name no zone; the signed timestamp needs none.
        occurred_at=since_1970(fields.get("timestamp"), raw),
        idempotency_key=f"{fields['messageId']} {status} {code}",
        message_id=message_named(fields.get("client-ref")),
        provider_message_id=fields["messageId"],
        provider_code=code,
        said_by=fields.get("msisdn", ""),
    )
    # A receipt is about one part of a long message.
    return of_a_part(report_with_code(state, event, "sms_codes", tables(SLUG)["sms_codes"]))


def _of_messages_api(raw: Raw, status: dict[str, Any]) -> ParsedReport:
    status_word, code = text_of(status.get("status")).lower(), text_of(within(status, "error", "title"))
    state = tables(SLUG)["messages_states"].get(status_word)
    if state is None:
        raise UnreadableError(f"Unknown status {status_word!r}.")
    uuid = text_of(status.get("message_uuid"))
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=when(status.get("timestamp"), raw),
        idempotency_key=f"{uuid} {status_word} {code}",
        message_id=message_named(status.get("client_ref")),
        provider_message_id=uuid,
        provider_code=code,
        diagnostic=text_of(within(status, "error", "detail")),
        said_by=text_of(status.get("to")),
    )
    return report_with_code(state, event, "messages_codes", tables(SLUG)["messages_codes"])


provider = Provider(
    SLUG,
    "Vonage",
    Channel.SMS,
    partial(proof.has_keys, SLUG),
    verify,
    parse,
    methods=("GET", "POST"),
    answer=200,
    sign=sign,
)
