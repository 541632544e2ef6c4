"""Postmark's webhooks, normalised by django-anymail.

Fields: Postmark's developer documentation, "Webhooks" (bounce, delivery, open tracking, click, spam complaint,
subscription change, inbound) and "Bounce API: bounce types". It signs nothing: user and password in the
webhook's address.
"""

from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.postmark import PostmarkInboundWebhookView, PostmarkTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.status.order import Kind

SLUG: Final = "postmark"
FAILURES: Final = frozenset({"Bounce", "SpamComplaint"})


def verify(request: HttpRequest) -> None:
    """Raises ForgedError without the user and password of POSTMARK_WEBHOOK_KEYS."""
    proof.check_password(request, SLUG)


@cache
def _view() -> Any:
    return bridge.view_of(PostmarkTrackingWebhookView)


def parse(raw: Raw) -> ParsedReport:
    """The event of one webhook call. Raises UnreadableError."""
    report = bridge.object_in(raw.body)
    # Only mail that Postmark takes for us has no RecordType.
    if "RecordType" not in report and "OriginalRecipient" in report:
        return inbound.parse_mails([report], _mail, raw)
    return bridge.parse_each([bridge.object_in(raw.body, "RecordType")], lambda item: _parse_item(item, raw))


def _mail(report: dict[str, Any]) -> Mail:
    if "RawEmail" in report:
        body = inbound.whole(report["RawEmail"])
    else:
        message = bridge.view_of(PostmarkInboundWebhookView).esp_to_anymail_event(report).message
        body = inbound.put_together(message)
    return Mail(body, (report["OriginalRecipient"],))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    found: AnymailTrackingEvent = _view().esp_to_anymail_event(item)
    return bridge.parsed_item(SLUG, found, _meaning(found, item), raw)


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    record_type, bounce_type = item["RecordType"], item.get("Type")
    if record_type == "SubscriptionChange":
        return _subscription_change(item)
    if record_type not in FAILURES or found.event_type in ("unsubscribed", "subscribed"):
        return event_words.plain(found, record_type)
    if bounce_type == "SpamComplaint":
        return event_words.meaning_of(Kind.COMPLAINED)
    row = event_words.row_of(__file__, "bounces", str(bounce_type or ""), EventMeaning(Says.FAILED))
    return event_words.failure(row, found.mta_response, note=found.description, provider_code=str(bounce_type or ""))


def _subscription_change(item: dict[str, Any]) -> TranslatedEvent | None:
    """What the person did. A suppression by a bounce or complaint is told by that one's own webhook, with the words;
    what somebody did in Postmark's console names no message."""
    if item.get("Origin") != "Recipient":
        return None
    if item.get("SuppressSending") is False:
        return event_words.meaning_of(Kind.SUBSCRIBED)
    return event_words.meaning_of(Kind.UNSUBSCRIBED) if item.get("SuppressionReason") == "ManualSuppression" else None


provider = Provider(
    SLUG,
    "Postmark",
    Channel.EMAIL,
    partial(proof.has_passwords, SLUG),
    verify,
    parse,
    key=proof.password_in,
    answer=200,
    sign=partial(proof.sign_with_password, SLUG),
)
