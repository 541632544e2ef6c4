"""Unisender Go's signed webhooks, normalised by django-anymail.

Fields and signature: Unisender Go's documentation, "Web API: callback format" (MD5 of the body with the API key in
the place of `auth`); statuses: "Email statuses" (https://godocs.unisender.ru/email-statuses).
"""

from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.unisender_go import UnisenderGoTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent

SLUG: Final = "unisender_go"
ABOUT_A_MESSAGE: Final = "transactional_email_status"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless an API key in UNISENDER_GO_WEBHOOK_KEYS is in the body's hash. No time is signed."""
    proof.check_signature(SLUG, lambda key: _view(key).validate_request(request))


@cache
def _view(key: str) -> Any:
    return bridge.view_of(UnisenderGoTrackingWebhookView, api_key=key)


def parse(raw: Raw) -> ParsedReport:
    """The events of one call, in either of the two formats. Raises UnreadableError."""
    return bridge.parse_each(_items(bridge.object_in(raw.body, "auth")), lambda item: _parse_item(item, raw))


def _items(report: dict[str, Any]) -> list[Any]:
    if "events_by_user" not in report:
        return [report] if report.get("event_name") == ABOUT_A_MESSAGE else []
    try:
        events = [event for user in report["events_by_user"] for event in user["events"]]
        return [event["event_data"] for event in events if event["event_name"] == ABOUT_A_MESSAGE]
    except (LookupError, TypeError) as error:
        raise UnreadableError(f"Not a list of events by user: {type(error).__name__}: {error}") from error


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    found: AnymailTrackingEvent = _view("").esp_to_anymail_event(item)
    return bridge.parsed_item(
        SLUG, found, _meaning(found, item), raw, idempotency_key=bridge.fingerprint({**item, "auth": ""})
    )


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    word, code = item["status"], str((item.get("delivery_info") or {}).get("delivery_status") or "")
    if word == "soft_bounced":
        return event_words.failure(EventMeaning(Says.DEFERRED), found.mta_response, provider_code=code)
    if word != "hard_bounced":
        return event_words.plain(found, word)
    row = event_words.row_of(__file__, "failures", code, EventMeaning(Says.FAILED))
    return event_words.failure(row, found.mta_response, provider_code=code)


provider = Provider(
    SLUG, "Unisender Go", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, probe="GET", answer=200
)
