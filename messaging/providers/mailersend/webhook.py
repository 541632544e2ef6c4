"""MailerSend's signed webhooks, normalised by django-anymail.

Fields and signature: MailerSend's developer documentation, "Webhooks" (header Signature: HMAC-SHA256 of the body)
and "Inbound emails", which has a secret of its own.
"""

import hmac
from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.mailersend import MailerSendTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Probe, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.status.order import Kind

SLUG: Final = "mailersend"

# "Webhooks: available events". A hard bounce there is whatever "is not delivered", so words decide, if there are any.
FAILURES: Final = {
    "hard_bounced": EventMeaning(Says.DEAD, "permanent"),
    "soft_bounced": EventMeaning(Says.SOFT),
    "deferred": EventMeaning(Says.DEFERRED),
}
# What anymail does not list.
MORE_KINDS: Final = {
    "opened_unique": Kind.OPENED,
    "clicked_unique": Kind.CLICKED,
    "survey_opened": Kind.OPENED,
    "survey_submitted": Kind.CLICKED,
}


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a signing secret in MAILERSEND_WEBHOOK_KEYS signed the body. No time is signed."""
    proof.check_signature(SLUG, lambda key: _view(key).validate_request(request))


@cache
def _view(key: str) -> Any:
    return bridge.view_of(MailerSendTrackingWebhookView, signing_secret=key)


def sign(url: str) -> Probe:
    return Probe(url, {"Signature": hmac.new(proof.keys_of(SLUG)[0].encode(), b"", "sha256").hexdigest()})


def parse(raw: Raw) -> ParsedReport:
    """The event of one webhook call; none where it is about an account and not a message. Raises UnreadableError."""
    item = bridge.object_in(raw.body, "type")
    if item["type"] == "inbound.message":
        return inbound.parse_mails([item.get("data")], _mail, raw)
    is_about_a_message = str(item["type"]).startswith("activity.")
    return bridge.parse_each([item] if is_about_a_message else [], lambda each: _parse_item(each, raw))


def _mail(item: dict[str, Any]) -> Mail:
    recipients = tuple(each.get("email") for each in item["recipients"]["rcptTo"])
    return Mail(inbound.whole(item["raw"]), recipients, bridge.moment_of(item.get("created_at")))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    found: AnymailTrackingEvent = _view("").esp_to_anymail_event(item)
    return bridge.parsed_item(SLUG, found, _meaning(found, item), raw)


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    word = item["data"]["type"]
    if word in FAILURES:
        morph = item["data"].get("morph") or {}
        return event_words.failure(FAILURES[word], morph.get("reason") or found.description, provider_code=word)
    return event_words.meaning_of(MORE_KINDS[word]) if word in MORE_KINDS else event_words.plain(found, word)


provider = Provider(
    SLUG, "MailerSend", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, answer=200, sign=sign
)
