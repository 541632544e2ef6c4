"""Plivo's message status callbacks.

Fields: plivo.com/docs/messaging/api/message/message-status-callbacks (by POST, or by GET); signatures: Plivo,
"Validating requests": V2 for messaging, over the address without its query, and V3, over the fields as well, as in
Plivo's own SDK.
"""

import hmac
from base64 import b64encode
from collections import defaultdict
from functools import partial
from typing import Final

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ForgedError, ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.parsing import fields_of, message_of, pairs_of, query_of
from messaging.providers.replies import parse_reply
from messaging.providers.signatures import among, public_url
from messaging.providers.tables import report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "plivo"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless an auth token signed the request, by V3: V2 covers neither the body nor the query, so
    it is only taken if WEBHOOK_OLD_SIGNATURES says so.

    Plivo signs no time, so an old request cannot be told.
    """
    version = "V3" if _signatures(request, "V3") or not proof.takes_old_signature(SLUG) else "V2"
    nonce, url = request.headers.get(f"X-Plivo-Signature-{version}-Nonce", ""), public_url(request)
    if version == "V3":
        signed = signed_by_v3(url, _form(request), is_post=request.method == "POST") + f".{nonce}"
    else:
        signed = url.partition("?")[0] + nonce
    given = _signatures(request, version)
    if not given and _signatures(request, "V2"):
        raise ForgedError("Signed by V2 alone, which does not cover what it says (see WEBHOOK_OLD_SIGNATURES).")
    proof.check_signature(SLUG, lambda key: _check(key, given, signed))


def _signatures(request: HttpRequest, version: str) -> list[str]:
    """Of the account, and of the main account above it; each header may hold several."""
    found = (request.headers.get(f"X-Plivo-Signature-{of}{version}", "") for of in ("", "Ma-"))
    return [each.strip() for header in found for each in header.split(",") if each.strip()]


def _check(key: str, given: list[str], signed: str) -> None:
    among(given, signature(key, signed))


def signature(key: str, signed: str) -> bytes:
    return b64encode(hmac.digest(key.encode(), signed.encode("utf-8", "replace"), "sha256"))


def sign(url: str) -> Probe:
    made = signature(proof.keys_of(SLUG)[0], signed_by_v3(url, "", is_post=False) + ".probe")
    return Probe(url, {"X-Plivo-Signature-V3": made.decode(), "X-Plivo-Signature-V3-Nonce": "probe"})


def _form(request: HttpRequest) -> str:
    return request.body.decode("utf-8", "replace")


def signed_by_v3(url: str, form: str, *, is_post: bool) -> str:
    """What a V3 signature is over, before the nonce."""
    try:
        query, fields = _grouped(query_of(url)), _grouped(form if is_post else "")
    except UnreadableError as error:
        raise ForgedError(str(error)) from error
    parameters = "&".join(f"{name}={value}" for name, value in query)
    if not fields:
        return "?".join(filter(None, (url.partition("?")[0], parameters)))
    values = "".join(name + value for name, value in fields)
    return f"{url.partition('?')[0]}?{parameters}{'.' if parameters else ''}{values}"


def _grouped(form: str) -> list[tuple[str, str]]:
    """Sorted by name, and by value under one name."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, value in pairs_of(form):
        found[name].append(value)
    return [(name, value) for name in sorted(found) for value in sorted(found[name])]


def parse(raw: Raw) -> ParsedReport:
    """The events of one callback, or the wish in an SMS that somebody sent us ("Receive a message"). Raises
    UnreadableError.
    """
    fields = fields_of(raw.body, raw.path)
    if "Text" in fields and "Status" not in fields:
        return parse_reply(SLUG, fields.get("From", ""), fields["Text"], raw.received_at)
    message, status = fields.get("MessageUUID", ""), fields.get("Status", "").lower()
    state = tables(SLUG)["statuses"].get(status)
    if state is None or not message:
        raise UnreadableError(f"No MessageUUID, or unknown Status {status!r}: not a status callback.")
    code = fields.get("ErrorCode", "")
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        # DeliveryReportTime and the others name no zone.
        occurred_at=raw.received_at,
        idempotency_key=f"{message} {status} {code}",
        message_id=message_of(raw),
        provider_message_id=message,
        provider_code=code,
        said_by=fields.get("To", ""),
    )
    return report_with_code(state, event, "codes", tables(SLUG)["codes"])


provider = Provider(
    SLUG,
    "Plivo",
    Channel.SMS,
    partial(proof.has_keys, SLUG),
    verify,
    parse,
    methods=("GET", "POST"),
    answer=200,
    sign=sign,
)
