"""Postal's signed webhooks, normalised by django-anymail.

Fields and signature: Postal's documentation, "Webhooks" and "Receiving e-mail by HTTP" (RSA over the body:
X-Postal-Signature-256 with SHA-256, and X-Postal-Signature with SHA-1, which is all that old versions send).
"""

import base64
import json
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.postal import PostalTrackingWebhookView
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.providers.parsing import moment_since_1970
from messaging.status.order import Kind

SLUG: Final = "postal"
SIGNATURE_256: Final = "X-Postal-Signature-256"

KINDS: Final = {
    "MessageSent": Kind.DELIVERED,
    "MessageLoaded": Kind.OPENED,
    "MessageLinkClicked": Kind.CLICKED,
}
# "Message status events". Of an asynchronous bounce the webhook tells neither words nor codes.
FAILURES: Final = {
    "MessageDelayed": EventMeaning(Says.DEFERRED),
    "MessageDeliveryFailed": EventMeaning(Says.FAILED),
    "MessageBounced": EventMeaning(Says.SOFT),
}
NO_MESSAGE_EVENTS: Final = frozenset({"DomainDNSError", "SendLimitApproaching", "SendLimitExceeded"})
# "Mail server settings: held messages", as the details record it.
SUPPRESSED: Final = "suppression list"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a public key in POSTAL_WEBHOOK_KEYS fits the signature of the body.

    No time is signed but that at which Postal queued the report, and a queue may have stood. An old Postal, which
    signs with SHA-1 alone, is taken if WEBHOOK_OLD_SIGNATURES says so.
    """
    is_old = SIGNATURE_256 not in request.headers and proof.takes_old_signature(SLUG)
    check = _check_sha1 if is_old else _check_sha256
    proof.check_signature(SLUG, lambda key: check(key, request))


def _check_sha256(key: str, request: HttpRequest) -> None:
    signature = base64.b64decode(request.headers[SIGNATURE_256])
    _key_in(key).verify(signature, request.body, padding.PKCS1v15(), hashes.SHA256())


def _key_in(key: str) -> rsa.RSAPublicKey:
    public_key = serialization.load_der_public_key(base64.b64decode(key))
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise TypeError("Postal signs with RSA.")
    return public_key


def _check_sha1(key: str, request: HttpRequest) -> None:
    _view(key).validate_request(request)


@cache
def _view(key: str) -> Any:
    return bridge.view_of(PostalTrackingWebhookView, webhook_key=key)


def parse(raw: Raw) -> ParsedReport:
    """The event of one webhook call; none where it is about a domain, a limit or incoming mail. UnreadableError."""
    report = bridge.object_in(raw.body)
    if "rcpt_to" in report:
        return inbound.parse_mails([report], _mail, raw)
    item = bridge.object_in(raw.body, "event", "payload")
    items = [] if item["event"] in NO_MESSAGE_EVENTS else [item]
    return bridge.parse_each(items, lambda each: _parse_item(each, raw))


def _mail(report: dict[str, Any]) -> Mail:
    """What an HTTP endpoint of format "Raw message" is sent."""
    return Mail(inbound.whole(report["message"], is_base64=report.get("base64") is True), (report["rcpt_to"],))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    body = json.dumps(bridge.in_seconds(item, "timestamp")).encode()
    events: list[AnymailTrackingEvent] = _view("").parse_events(SimpleNamespace(body=body))
    if not events:
        return None  # about incoming mail
    payload = item["payload"]
    message = payload.get("message") or payload["original_message"]
    at = payload.get("timestamp") or (payload.get("bounce") or {}).get("timestamp")
    return bridge.parsed_item(
        SLUG,
        events[0],
        _meaning(item["event"], payload),
        raw,
        tokens=[message.get("message_id")],
        occurred_at=moment_since_1970(at),
    )


def _meaning(word: str, payload: dict[str, Any]) -> TranslatedEvent | None:
    if word in KINDS:
        return event_words.meaning_of(KINDS[word])
    details = payload.get("details")
    if word == "MessageHeld":
        if SUPPRESSED in str(details):
            return event_words.failure(EventMeaning(Says.UNTRIED, "suppressed"), "", note=details, provider_code=word)
        return event_words.meaning_of(Kind.ACCEPTED)
    if word not in FAILURES:
        raise ValueError(f"unknown kind of event {word!r}")
    note = details or (payload.get("bounce") or {}).get("subject")
    return event_words.failure(FAILURES[word], payload.get("output"), note=note, provider_code=word)


provider = Provider(
    SLUG, "Postal", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, answer=200, key=_key_in
)
