"""SendGrid's signed event webhook, normalised by django-anymail.

Events and fields: Twilio SendGrid documentation, "Event Webhook Reference"; signature: "Event Webhook Security
Features" (ECDSA over timestamp and body, X-Twilio-Email-Event-Webhook-Signature). Mail to us: "Setting up the Inbound
Parse Webhook" and "Securing your Inbound Parse Webhooks": with a security policy it is signed in the same way.
"""

from base64 import b64decode
from datetime import timedelta
from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.sendgrid import SendGridInboundWebhookView, SendGridTrackingWebhookView
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail

SLUG: Final = "sendgrid"
# A signature covers its own time; SendGrid tries for 24 hours, so what is older is a replay.
OLDEST_SIGNATURE: Final = timedelta(hours=25)
TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"

# "Account status change": about the account.
NO_MESSAGE_EVENTS: Final = frozenset({"account_status_change"})
# Why SendGrid dropped a message itself. None of them is fresh proof that the address is dead.
DROPS: Final = {"spam content": "content_rejected", "recipient list over package quota": "rate_limited"}


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless one of the keys in SENDGRID_WEBHOOK_KEYS signed the request, and lately."""
    proof.check_signature(SLUG, lambda key: _view(key).validate_request(request))
    proof.check_age(request.headers[TIMESTAMP], OLDEST_SIGNATURE)


@cache
def _view(key: str) -> Any:
    return bridge.view_of(SendGridTrackingWebhookView, tracking_webhook_verification_key=key)


def parse(raw: Raw) -> ParsedReport:
    """The events of one posted batch. Raises UnreadableError where the whole is no batch of events."""
    if inbound.is_form(raw.content_type):
        return inbound.parse_mails([inbound.form_of(raw)], _mail, raw)
    return bridge.parse_each(bridge.list_in(raw), lambda item: _parse_item(item, raw))


def _mail(request: HttpRequest) -> Mail:
    form = request.POST
    if "email" in form:
        body = inbound.whole(form["email"])
    else:
        body = inbound.put_together(bridge.view_of(SendGridInboundWebhookView).message_from_sendgrid_parsed(request))
    return Mail(body, tuple(bridge.object_of(form.get("envelope")).get("to") or ()))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    if item.get("event") in NO_MESSAGE_EVENTS:
        return None
    found: AnymailTrackingEvent = _view("").esp_to_anymail_event(bridge.in_seconds(item, "timestamp"))
    return bridge.parsed_item(
        SLUG,
        found,
        _meaning(found, item),
        raw,
        # What the API returned at hand-over is the part before the first point.
        provider_message_id=str(item.get("sg_message_id") or "").partition(".")[0],
        is_automatic=item.get("sg_machine_open") is True,
    )


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    if found.event_type == "rejected":
        return event_words.failure(_drop(item), "", note=item.get("reason"))
    if found.event_type == "deferred":
        return event_words.failure(EventMeaning(Says.DEFERRED), found.mta_response, status_code=item.get("status"))
    if found.event_type == "bounced":
        # "blocked" is SendGrid's word for a refusal that says nothing about the address.
        row = event_words.row_of(
            __file__, "bounces", str(item.get("bounce_classification") or ""), EventMeaning(Says.FAILED)
        )
        if item.get("type") == "blocked":
            row = row._replace(says=Says.SOFT, reason="unknown" if row.says is Says.DEAD else row.reason)
        return event_words.failure(row, found.mta_response, status_code=item.get("status"))
    return event_words.plain(found, item.get("event"))


def _drop(item: dict[str, Any]) -> EventMeaning:
    return EventMeaning(Says.UNTRIED, DROPS.get(str(item.get("reason", "")).lower(), "suppressed"))


def _key_in(key: str) -> ec.EllipticCurvePublicKey:
    public_key = serialization.load_der_public_key(b64decode(key))
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise TypeError("SendGrid signs with ECDSA.")
    return public_key


provider = Provider(SLUG, "SendGrid", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, key=_key_in)
