"""Twilio's status callbacks for SMS.

Parameters: Twilio documentation, "Outbound Message Status in Status Callbacks"; signature: "Webhooks Security"
(base64 of HMAC-SHA1 over the URL and the sorted POST parameters, X-Twilio-Signature).
"""

import hmac
import tomllib
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

from django.conf import settings
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers.base import ForgedError, Provider, Raw, Reading, UnreadableError
from messaging.statuses import Event, Kind
from messaging.tokens import message_id_of

# The query parameter of the callback's URL that carries our token; Twilio signs the whole URL.
OUR_PARAMETER: Final = "message"
OPTED_OUT: Final = "21610"

KINDS: Final = {
    "accepted": Kind.ACCEPTED,
    "scheduled": Kind.ACCEPTED,
    "queued": Kind.ACCEPTED,
    "sending": Kind.ACCEPTED,
    "sent": Kind.DEFERRED,  # the carrier has it, and nothing is known of the phone yet
    "delivered": Kind.DELIVERED,
    "read": Kind.DELIVERED,
    "canceled": Kind.FAILED,
}
NOT_DELIVERED: Final = frozenset({"undelivered", "failed"})


def is_set_up() -> bool:
    return bool(settings.TWILIO_AUTH_TOKENS)


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless the request is signed for PUBLIC_URL with one of TWILIO_AUTH_TOKENS."""
    given = request.headers.get("X-Twilio-Signature", "").encode("utf-8", "replace")
    url = settings.PUBLIC_URL + request.get_full_path()
    fields = _fields(request.body)
    if not any(
        hmac.compare_digest(signature(token, url, fields).encode(), given) for token in settings.TWILIO_AUTH_TOKENS
    ):
        raise ForgedError("No token in TWILIO_AUTH_TOKENS made this signature for this address (see PUBLIC_URL).")


def signature(token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """X-Twilio-Signature of a form posted to `url`."""
    said = url + "".join(name + value for name, value in sorted(set(fields)))
    return b64encode(hmac.digest(token.encode(), said.encode("utf-8", "replace"), "sha1")).decode()


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, errors="replace", max_num_fields=500)
    except ValueError:
        return []


def read(raw: Raw) -> Reading:
    """The event of one callback; two where Twilio says that the person opted out. Raises UnreadableError."""
    form = dict(_fields(raw.body))
    status = form.get("MessageStatus", "").lower()
    if not status or not (form.get("MessageSid") or form.get("SmsSid")):
        raise UnreadableError("No MessageStatus or no MessageSid: not a status callback.")
    if status not in KINDS and status not in NOT_DELIVERED:
        raise UnreadableError(f"Unknown MessageStatus {status!r}.")
    code = form.get("ErrorCode", "")
    kind, reason = (KINDS[status], "") if status in KINDS else _codes().get(code, (Kind.FAILED, "unknown"))
    kinds = [(kind, reason)]
    if code == OPTED_OUT:
        kinds.append((Kind.UNSUBSCRIBED, "unsubscribe"))
    return Reading([_event(raw, form, *each) for each in kinds])


def _event(raw: Raw, form: dict[str, str], kind: Kind, reason: str) -> Event:
    token = parse_qs(urlsplit(raw.path).query).get(OUR_PARAMETER, [""])[0]
    sid, status, code = (
        form.get("MessageSid") or form["SmsSid"],
        form["MessageStatus"].lower(),
        form.get("ErrorCode", ""),
    )
    return Event(
        provider="twilio",
        kind=kind,
        # Callbacks name no time of their own but RawDlrDoneDate, whose zone differs from carrier to carrier
        # (Twilio's changelog of 2023-02-14): so the time of receipt.
        occurred_at=raw.received_at,
        # Callbacks have no id of their own; a message passes through each status once.
        repeat_id=f"{sid} {status} {code}",
        message_id=message_id_of(token),
        provider_message_id=sid,
        reason=reason,
        provider_code=code,
        diagnostic=form.get("ErrorMessage", ""),
        said_by=form.get("To", ""),
    )


@cache
def _codes() -> dict[str, tuple[Kind, str]]:
    table = tomllib.loads(Path(__file__).with_name("twilio.toml").read_text(encoding="utf-8"))
    return {code: (Kind(kind), reason) for code, (kind, reason) in table["codes"].items()}


provider = Provider("twilio", "Twilio", Channel.SMS, is_set_up, verify, read)
