"""Twilio's status callbacks for SMS.

Parameters: Twilio documentation, "Outbound Message Status in Status Callbacks"; signature: "Webhooks Security"
(base64 of HMAC-SHA1 over the URL and the sorted POST parameters, X-Twilio-Signature).
"""

import hmac
from base64 import b64encode
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ForgedError, ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.parsing import message_of
from messaging.providers.replies import parse_reply
from messaging.providers.signatures import public_url
from messaging.providers.tables import codes_for, report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "twilio"
# "Message resource: status values": of mail to us, and of a group that is written to at once.
NO_STATUSES: Final = frozenset({"partially_delivered", "receiving", "received"})


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless the request is signed for PUBLIC_URL with one of the auth tokens."""
    given = request.headers.get("X-Twilio-Signature", "").encode("utf-8", "replace")
    url, fields = public_url(request), _fields(request.body)
    if not any(hmac.compare_digest(signature(token, url, fields).encode(), given) for token in proof.keys_of(SLUG)):
        raise ForgedError("No token in TWILIO_WEBHOOK_KEYS made this signature for this address (see PUBLIC_URL).")


def signature(token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """X-Twilio-Signature of a form posted to `url`."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return b64encode(hmac.digest(token.encode(), signed.encode("utf-8", "replace"), "sha1")).decode()


def sign(url: str) -> Probe:
    return Probe(url, {"X-Twilio-Signature": signature(proof.keys_of(SLUG)[0], url, [])})


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, errors="replace", max_num_fields=500)
    except ValueError:
        return []


def parse(raw: Raw) -> ParsedReport:
    """The event of one callback; two where Twilio says that the person opted out. Of an SMS that somebody sent us the
    wish, such as STOP ("Twilio's Request to your Incoming Message Webhook URL"). Raises UnreadableError.
    """
    form = dict(_fields(raw.body))
    if "Body" in form and "MessageStatus" not in form:
        return parse_reply(SLUG, form.get("From", ""), form.get("OptOutType") or form["Body"], raw.received_at)
    sid, status = form.get("MessageSid") or form.get("SmsSid"), form.get("MessageStatus", "").lower()
    if not status or not sid:
        raise UnreadableError("No MessageStatus or no MessageSid: not a status callback.")
    if status in NO_STATUSES:
        return ParsedReport()
    state, code = tables("twilio")["statuses"].get(status), form.get("ErrorCode", "")
    if state is None:
        raise UnreadableError(f"Unknown MessageStatus {status!r}.")
    event = Event(
        provider="twilio",
        kind=Kind.ACCEPTED,
        # Callbacks name no time of their own but RawDlrDoneDate, whose zone differs from carrier to carrier
        # (Twilio's changelog of 2023-02-14): so the time of receipt.
        occurred_at=raw.received_at,
        # Callbacks have no id of their own; a message passes through each status once.
        idempotency_key=f"{sid} {status} {code}",
        message_id=message_of(raw),
        provider_message_id=sid,
        provider_code=code,
        diagnostic=form.get("ErrorMessage", ""),
        said_by=form.get("To", ""),
    )
    return report_with_code(state, event, "codes", codes_for(SLUG, form.get("From", "")))


provider = Provider("twilio", "Twilio", Channel.SMS, partial(proof.has_keys, SLUG), verify, parse, sign=sign)
