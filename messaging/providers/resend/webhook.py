"""Resend's signed webhooks, normalised by django-anymail.

Fields: Resend's documentation, "Webhooks: event types" and a page for each; signature: Svix's documentation,
"Verifying webhooks manually" (HMAC-SHA256 over id, time and body).
"""

import base64
import hmac
from datetime import timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.resend import ResendTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Probe, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.status.order import Kind

SLUG: Final = "resend"
ID, TIMESTAMP, SIGNATURES = "svix-id", "svix-timestamp", "svix-signature"
# Each try is signed anew, with its own time; Svix's libraries allow five minutes either way ("Why verify webhooks").
OLDEST_SIGNATURE: Final = timedelta(minutes=5)

# Later than anymail's list.
MORE_KINDS: Final = {"email.scheduled": Kind.ACCEPTED}
FAILURES: Final = {
    "email.delivery_delayed": EventMeaning(Says.DEFERRED),
    "email.suppressed": EventMeaning(Says.UNTRIED, "suppressed"),
}
# Of "email.failed": why Resend did not send it.
REFUSALS: Final = {"reached_daily_quota": "rate_limited", "reached_monthly_quota": "rate_limited"}


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a signing secret in RESEND_WEBHOOK_KEYS signed the request, within five minutes."""
    proof.check_signature(SLUG, lambda key: _check(key, request))
    proof.check_age(request.headers[TIMESTAMP], OLDEST_SIGNATURE)


def _check(key: str, request: HttpRequest) -> None:
    expected = signed_with(key, request.headers[ID], request.headers[TIMESTAMP], request.body)
    if not any(hmac.compare_digest(each.encode(), expected) for each in request.headers[SIGNATURES].split()):
        raise ValueError("another secret's signature")


def signed_with(key: str, message_id: str, timestamp: str, body: bytes) -> bytes:
    """One entry of svix-signature."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return b"v1," + base64.b64encode(hmac.digest(_secret(key), signed, "sha256"))


def sign(url: str) -> Probe:
    made = signed_with(proof.keys_of(SLUG)[0], "probe", timestamp := proof.now(), b"")
    return Probe(url, {ID: "probe", TIMESTAMP: timestamp, SIGNATURES: made.decode()})


def _secret(key: str) -> bytes:
    return proof.secret_in(key, "whsec_")


@cache
def _view() -> Any:
    return bridge.view_of(ResendTrackingWebhookView, signing_secret=None)


def parse(raw: Raw) -> ParsedReport:
    """The event of one webhook call; none where it is about incoming mail, a contact or a domain. UnreadableError."""
    item = bridge.object_in(raw.body, "type")
    is_about_a_message = str(item["type"]).startswith("email.") and item["type"] != "email.received"
    return bridge.parse_each([item] if is_about_a_message else [], lambda each: _parse_item(each, raw))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    # The event's id comes as a header only.
    found: AnymailTrackingEvent = _view().esp_to_anymail_event(item, SimpleNamespace(headers=raw.headers))
    tags = item["data"].get("tags")
    token = tags.get(bridge.OUR_METADATA) if isinstance(tags, dict) else None
    return bridge.parsed_item(SLUG, found, _meaning(found, item), raw, tokens=[token])


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    word, data = item["type"], item["data"]
    if word == "email.bounced":
        return _bounce(data["bounce"])
    if word == "email.failed":
        reason = str((data.get("failed") or {}).get("reason") or "")
        return event_words.failure(
            EventMeaning(Says.UNTRIED, REFUSALS.get(reason, "unknown")), "", note=reason, provider_code=reason
        )
    if word in FAILURES:
        return event_words.failure(FAILURES[word], "", note=(data.get("suppressed") or {}).get("message"))
    return event_words.meaning_of(MORE_KINDS[word]) if word in MORE_KINDS else event_words.plain(found, word)


def _bounce(bounce: dict[str, Any]) -> TranslatedEvent | None:
    code = f"{bounce.get('type')}/{bounce.get('subType')}"
    by_type = event_words.table_of(__file__, "bounces").get(str(bounce.get("type")), EventMeaning(Says.FAILED))
    row = event_words.row_of(__file__, "bounces", code, by_type)
    words = bounce.get("diagnosticCode") or []
    return event_words.failure(
        row,
        " ".join(str(each) for each in words) if isinstance(words, list) else words,
        note=bounce.get("message"),
        provider_code=code,
    )


provider = Provider(
    SLUG,
    "Resend",
    Channel.EMAIL,
    partial(proof.has_keys, SLUG),
    verify,
    parse,
    headers=(ID,),
    key=_secret,
    answer=200,
    sign=sign,
)
