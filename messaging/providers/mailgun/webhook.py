"""Mailgun's signed webhooks, normalised by django-anymail.

Fields: Mailgun's user manual, "Webhook payloads", "Event types" and "Receiving, forwarding and storing
messages"; signature: "Securing webhooks" (HMAC-SHA256 of timestamp and token, in the body). It does not cover the
event itself: whoever sees one request can forge others with its signature until it is too old.
"""

from datetime import timedelta
from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.mailgun import MailgunInboundWebhookView, MailgunTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ForgedError, ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.providers.parsing import moment_since_1970

SLUG: Final = "mailgun"
# Mailgun tries 7 times more, over 8 hours and 5 minutes ("How do webhooks work?").
OLDEST_SIGNATURE: Final = timedelta(hours=12)
# "permanent" means only that Mailgun does not try again; together with the type "hard" it means the address.
PERMANENT: Final = EventMeaning(Says.DEAD, "permanent")
# "Event types": about lists, kept mail and checks of addresses.
NO_MESSAGE_EVENTS: Final = frozenset(
    {
        "stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded", "list_upload_error",
        "email_validation", "inbox_placement_test",
    }
)  # fmt: skip


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a signing key in MAILGUN_WEBHOOK_KEYS made the signature in the body, and lately."""
    is_mail = _is_mail(request)
    if not is_mail and request.content_type != "application/json":
        raise ForgedError("Neither JSON nor a mail: a legacy webhook, which is not signed like the others.")
    proof.check_signature(SLUG, lambda key: _view(key).validate_request(request))
    signature = request.POST if is_mail else bridge.object_in(request.body)["signature"]
    proof.check_age(str(signature["timestamp"]), OLDEST_SIGNATURE)


def _is_mail(request: HttpRequest) -> bool:
    """Whether it is a route's forward(). Signed as all is: over a time and a token, not over the mail."""
    if not inbound.is_form(request.content_type or ""):
        return False
    # Read before the form, or it would be gone when the report is kept.
    form = request.body and request.POST
    return "event" not in form and "recipient" in form


@cache
def _view(key: str) -> Any:
    return bridge.view_of(MailgunTrackingWebhookView, webhook_signing_key=key)


def parse(raw: Raw) -> ParsedReport:
    """The event of one webhook call, or those of a mail. Raises UnreadableError."""
    if inbound.is_form(raw.content_type):
        return inbound.parse_mails([inbound.form_of(raw)], _mail, raw)
    return bridge.parse_each([bridge.object_in(raw.body, "event-data")], lambda item: _parse_item(item, raw))


def _mail(request: HttpRequest) -> Mail:
    form, parts = request.POST, object.__new__(MailgunInboundWebhookView)
    if "body-mime" in form:
        body = inbound.whole(form["body-mime"])
    else:
        body = inbound.put_together(parts.message_from_mailgun_parsed(request))
    return Mail(body, (form.get("recipient"),), moment_since_1970(form["timestamp"]))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    event = item["event-data"]
    if event["event"] in NO_MESSAGE_EVENTS:
        return None
    timed = {**item, "event-data": bridge.in_seconds(event, "timestamp")}
    found: AnymailTrackingEvent = _view("").esp_to_anymail_event(timed)
    return bridge.parsed_item(
        SLUG,
        found,
        _meaning(found, event),
        raw,
        tokens=[found.message_id],
        # Its id is "unique within a day"; the token of the signature may differ from try to try.
        idempotency_key=f"{event['id']} {event.get('timestamp')}" if event.get("id") else bridge.fingerprint(event),
        is_automatic=bool((event.get("client-info") or {}).get("bot")),
    )


def _meaning(found: AnymailTrackingEvent, event: dict[str, Any]) -> TranslatedEvent | None:
    word = event["event"]
    if word == "rejected":
        return event_words.failure(EventMeaning(Says.UNTRIED, "policy"), "", note=found.description, provider_code=word)
    return _failure(found, event) if word == "failed" else event_words.plain(found, word)


def _failure(found: AnymailTrackingEvent, event: dict[str, Any]) -> TranslatedEvent | None:
    status = event.get("delivery-status") or {}
    code, reason = str(status.get("code") or ""), str(event.get("reason") or "")
    own_codes = event_words.table_of(__file__, "codes")
    row = own_codes.get(code) or event_words.row_of(__file__, "reasons", reason, EventMeaning(Says.FAILED))
    if event.get("severity") == "temporary":
        row = row._replace(says=Says.DEFERRED)
    elif row.says is Says.FAILED and status.get("bounce-type") == "hard" and code not in own_codes:
        row = PERMANENT
    return event_words.failure(
        row,
        found.mta_response or found.description,
        reply_code="" if code in own_codes else code,
        status_code=status.get("enhanced-code"),
        provider_code=code if code in own_codes else reason,
    )


provider = Provider(SLUG, "Mailgun", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, answer=200)
