"""SendGrid's signed event webhook, normalised by django-anymail.

Events and fields: Twilio SendGrid documentation, "Event Webhook Reference"; signature: "Event Webhook Security
Features" (ECDSA over timestamp and body, X-Twilio-Email-Event-Webhook-Signature).
"""

import json
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any, Final

from anymail.exceptions import (
    AnymailInsecureWebhookWarning,
    AnymailNotSupportedWarning,
    AnymailWebhookValidationFailure,
)
from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from django.conf import settings
from django.http import HttpRequest

from contacts.models import Channel
from messaging.bounces.classify import classify
from messaging.providers.base import ForgedError, Provider, Raw, Reading, UnreadableError
from messaging.statuses import Event, Kind
from messaging.tokens import message_id_of

# The custom argument that carries our token through SendGrid and back.
OUR_ARGUMENT: Final = "engage"
# A signature covers its own time; SendGrid tries for 24 hours, so what is older is a replay.
OLDEST_SIGNATURE: Final = timedelta(hours=25)

KINDS: Final = {
    "queued": Kind.ACCEPTED,
    "deferred": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "opened": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "complained": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "subscribed": Kind.SUBSCRIBED,
}
CONSENT_REASONS: Final = {
    Kind.COMPLAINED: "complaint",
    Kind.UNSUBSCRIBED: "unsubscribe",
    Kind.SUBSCRIBED: "resubscribe",
}
# Why SendGrid dropped a message itself. None of them is fresh proof that the address is dead.
DROPS: Final = {"spam content": "content_rejected", "recipient list over package quota": "rate_limited"}


def is_set_up() -> bool:
    return bool(settings.SENDGRID_WEBHOOK_KEYS)


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless one of the keys in SENDGRID_WEBHOOK_KEYS signed the request, and lately."""
    for view in _views(tuple(settings.SENDGRID_WEBHOOK_KEYS)):
        try:
            view.validate_request(request)
        except AnymailWebhookValidationFailure:
            continue
        return _check_age(request.headers["X-Twilio-Email-Event-Webhook-Timestamp"])
    raise ForgedError("No key in SENDGRID_WEBHOOK_KEYS made this signature.")


def _check_age(timestamp: str) -> None:
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ForgedError("The signature's timestamp is no time.") from error
    if datetime.now(UTC) - signed_at > OLDEST_SIGNATURE:
        raise ForgedError("The signature is too old: a replayed request.")


@cache
def _views(keys: tuple[str, ...]) -> tuple[Any, ...]:
    with warnings.catch_warnings():
        # anymail lost its SendGrid test account, not the feature (its issue 432); our payload tests stand in. And it
        # asks for basic auth where it finds no key; we refuse every request then.
        warnings.simplefilter("ignore", AnymailNotSupportedWarning)
        warnings.simplefilter("ignore", AnymailInsecureWebhookWarning)
        return tuple(SendGridTrackingWebhookView(tracking_webhook_verification_key=key) for key in keys)


@cache
def _reader() -> Any:
    return _views(("",))[0]


def read(raw: Raw) -> Reading:
    """The events of one posted batch. Raises UnreadableError where the whole is no batch of events."""
    try:
        items = json.loads(raw.body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"Not JSON: {error}") from error
    if not isinstance(items, list):
        raise UnreadableError("Not a list of events.")
    reading = Reading()
    for number, item in enumerate(items, 1):
        try:
            reading.events.append(_event(item, raw))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            reading.problems.append(f"Event {number}: {type(error).__name__}: {error}"[:300])
    return reading


def _event(item: dict[str, Any], raw: Raw) -> Event:
    found: AnymailTrackingEvent = _reader().esp_to_anymail_event(item)
    said = str(found.mta_response or "")
    kind, reason, reply_code, status_code = _meaning(found, item, said)
    token = item.get(OUR_ARGUMENT)
    return Event(
        provider="sendgrid",
        kind=kind,
        occurred_at=found.timestamp or raw.received_at,
        repeat_id=str(found.event_id or _fingerprint(item)),
        message_id=message_id_of(token) if isinstance(token, str) else None,
        # What the API returned at hand-over is the part before the first point.
        provider_message_id=str(item.get("sg_message_id") or "").partition(".")[0],
        reason=reason,
        reply_code=reply_code,
        status_code=status_code,
        diagnostic="" if kind in (Kind.DELIVERED, Kind.OPENED, Kind.CLICKED) else said or str(item.get("reason") or ""),
        said_by=_domain_of(item),
        is_automatic=item.get("sg_machine_open") is True,
    )


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any], said: str) -> tuple[Kind, str, str, str]:
    if kind := KINDS.get(found.event_type):
        if kind != Kind.DEFERRED:
            return kind, CONSENT_REASONS.get(kind, ""), "", ""
        verdict = classify(said, status_code=str(item.get("status") or ""))
        return kind, verdict.reason, verdict.reply_code, verdict.status_code
    if found.event_type == "rejected":
        return Kind.SOFT_BOUNCE, DROPS.get(str(item.get("reason", "")).lower(), "suppressed"), "", ""
    if found.event_type == "bounced":
        verdict = classify(said, status_code=str(item.get("status") or ""))
        # "blocked" is SendGrid's word for a refusal that says nothing about the address.
        is_hard = verdict.is_hard and item.get("type") != "blocked"
        return (
            Kind.HARD_BOUNCE if is_hard else Kind.SOFT_BOUNCE,
            verdict.reason,
            verdict.reply_code,
            verdict.status_code,
        )
    raise ValueError(f"unknown kind of event {item.get('event')!r}")


def _domain_of(item: dict[str, Any]) -> str:
    return str(item.get("email") or "").rpartition("@")[2]


def _fingerprint(item: dict[str, Any]) -> str:
    said = json.dumps(item, sort_keys=True, default=str).encode("utf-8", "replace")
    return blake2b(said, digest_size=16).hexdigest()


provider = Provider("sendgrid", "SendGrid", Channel.EMAIL, is_set_up, verify, read)
