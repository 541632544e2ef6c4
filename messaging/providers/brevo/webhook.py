"""Brevo's transactional webhooks, normalised by django-anymail.

Fields: Brevo's developer documentation, "Transactional webhooks", "Batched webhooks", "Secured webhooks",
"Inbound parsing webhooks". It signs nothing: user and password in the webhook's address.
"""

from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.brevo import BrevoInboundWebhookView, BrevoTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.providers.parsing import json_of, moment_since_1970
from messaging.status.order import Kind

SLUG: Final = "brevo"
# The header that carries what we want back.
CUSTOM: Final = "X-Mailin-custom"
# In seconds or milliseconds: Brevo's own samples have both. `date`, `ts` and `ts_event` go by the account's time zone.
EPOCH: Final = "ts_epoch"

# "Transactional webhooks": the events that say that an email was not delivered.
FAILURES: Final = {
    "hard_bounce": EventMeaning(Says.DEAD, "user_unknown"),
    "invalid_email": EventMeaning(Says.DEAD, "user_unknown"),
    "soft_bounce": EventMeaning(Says.SOFT),
    "error": EventMeaning(Says.SOFT),
    "blocked": EventMeaning(Says.UNTRIED, "suppressed"),
    "deferred": EventMeaning(Says.DEFERRED),
}
# "Marketing webhooks" and others: about contacts, lists and mail to us.
NO_MESSAGE_EVENTS: Final = frozenset(
    {"contact_deleted", "contact_updated", "list_addition", "listAddition", "inboundEmailProcessed", "reply"}
)
# Images loaded by a proxy (Apple Mail's, for one), whether or not anybody reads.
BY_PROXY: Final = frozenset({"proxy_open", "unique_proxy_open"})


def verify(request: HttpRequest) -> None:
    """Raises ForgedError without the user and password of BREVO_WEBHOOK_KEYS."""
    proof.check_password(request, SLUG)


@cache
def _view() -> Any:
    return bridge.view_of(BrevoTrackingWebhookView)


def parse(raw: Raw) -> ParsedReport:
    """One event, or a batch of them where the webhook was made with `batched`. Raises UnreadableError."""
    report = json_of(raw.body)
    if isinstance(report, dict) and isinstance(report.get("items"), list):
        return inbound.parse_mails(report["items"], _mail, raw)
    items = report if isinstance(report, list) else [bridge.object_in(raw.body, "event")]
    return bridge.parse_each(items, lambda item: _parse_item(item, raw))


def _mail(item: dict[str, Any]) -> Mail:
    """What Brevo tells of a mail; attachments would have to be fetched, and the text of a bounce says what they say."""
    reader = object.__new__(BrevoInboundWebhookView)
    message = reader.esp_to_anymail_event({**item, "Attachments": []}).message
    return Mail(inbound.put_together(message), tuple(item.get("Recipients") or ()))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    if item["event"] in NO_MESSAGE_EVENTS:
        return None
    custom, at = item.get(CUSTOM), moment_since_1970(item.get(EPOCH))
    # What anymail would stumble over: a header that is no JSON. And it reads milliseconds alone.
    ours = {CUSTOM, EPOCH} if at else {CUSTOM}
    found: AnymailTrackingEvent = _view().esp_to_anymail_event({k: v for k, v in item.items() if k not in ours})
    return bridge.parsed_item(
        SLUG,
        found,
        _meaning(found, item),
        raw,
        tokens=[bridge.object_of(custom).get(bridge.OUR_METADATA), custom],
        idempotency_key=bridge.fingerprint(item),
        occurred_at=at,
        is_automatic=item["event"] in BY_PROXY,
    )


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    word = item["event"]
    if word in FAILURES:
        return event_words.failure(FAILURES[word], found.mta_response, provider_code=word)
    # The page calls it so; anymail knows it as "unsubscribe".
    return event_words.meaning_of(Kind.UNSUBSCRIBED) if word == "unsubscribed" else event_words.plain(found, word)


provider = Provider(
    SLUG,
    "Brevo",
    Channel.EMAIL,
    partial(proof.has_passwords, SLUG),
    verify,
    parse,
    key=proof.password_in,
    answer=200,
    sign=partial(proof.sign_with_password, SLUG),
)
