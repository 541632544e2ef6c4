"""Mailtrap's signed webhooks, normalised by django-anymail.

Fields: Mailtrap's API documentation, "Webhooks", and "Statuses and events", "Bounce categorization"; signature:
Mailtrap's own SDKs (header Mailtrap-Signature: HMAC-SHA256 of the body).
"""

from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.mailtrap import MailtrapTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent

SLUG: Final = "mailtrap"

# "Statuses and events": a soft bounce is tried ten times more, a suspended message looked at ten times more.
FAILURES: Final = {
    "soft bounce": EventMeaning(Says.DEFERRED),
    "suspension": EventMeaning(Says.DEFERRED, "policy"),
    "reject": EventMeaning(Says.UNTRIED, "suppressed"),
}


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a signing secret in MAILTRAP_WEBHOOK_KEYS signed the body. No time is signed."""
    proof.check_signature(SLUG, lambda key: _view(key).validate_request(request))


@cache
def _view(key: str) -> Any:
    return bridge.view_of(MailtrapTrackingWebhookView, tracking_secret=key)


def parse(raw: Raw) -> ParsedReport:
    """The events of one batch. Raises UnreadableError."""
    items = bridge.object_in(raw.body, "events")["events"]
    if not isinstance(items, list):
        raise UnreadableError("Not a list of events.")
    return bridge.parse_each(items, lambda item: _parse_item(item, raw))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    if item["event"].startswith("activity_log."):
        return None
    found: AnymailTrackingEvent = _view("").esp_to_anymail_event(bridge.in_seconds(item, "timestamp"))
    return bridge.parsed_item(SLUG, found, _meaning(found, item), raw)


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    word, category = item["event"], str(item.get("bounce_category") or "")
    row = FAILURES.get(word)
    if word == "bounce":
        row = event_words.row_of(__file__, "bounces", category, EventMeaning(Says.FAILED))
    if row is None:
        return event_words.plain(found, word)
    return event_words.failure(
        row,
        found.mta_response,
        note=item.get("reason"),
        reply_code=item.get("response_code"),
        provider_code=category or word,
    )


provider = Provider(SLUG, "Mailtrap", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, answer=200)
