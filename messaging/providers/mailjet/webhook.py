"""Mailjet's Event API, normalised by django-anymail.

Fields and errors: Mailjet's guides, "Event API: real-time notifications" and "Parse API: inbound emails". It
signs nothing: user and password in the webhook's address.
"""

from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.mailjet import MailjetInboundWebhookView, MailjetTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.providers.parsing import json_of

SLUG: Final = "mailjet"
# A bounce with hard_bounce, "True if the error was permanent", and without an error that would say otherwise.
PERMANENT: Final = EventMeaning(Says.DEAD, "permanent")
# Of versions before: that Mailjet corrected the address.
NO_MESSAGE_EVENTS: Final = frozenset({"typofix"})


def verify(request: HttpRequest) -> None:
    """Raises ForgedError without the user and password of MAILJET_WEBHOOK_KEYS."""
    proof.check_password(request, SLUG)


@cache
def _view() -> Any:
    return bridge.view_of(MailjetTrackingWebhookView)


def parse(raw: Raw) -> ParsedReport:
    """One event, or a list of them where the events are grouped. Raises UnreadableError."""
    report = json_of(raw.body)
    if isinstance(report, dict) and "event" not in report and "Headers" in report:
        return inbound.parse_mails([report], _mail, raw)
    items = report if isinstance(report, list) else [bridge.object_in(raw.body, "event")]
    return bridge.parse_each(items, lambda item: _parse_item(item, raw))


def _mail(item: dict[str, Any]) -> Mail:
    message = bridge.view_of(MailjetInboundWebhookView).esp_to_anymail_event(item).message
    return Mail(inbound.put_together(message), (item.get("Recipient"),))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    if item["event"] in NO_MESSAGE_EVENTS:
        return None
    found: AnymailTrackingEvent = _view().esp_to_anymail_event(bridge.in_seconds(item, "time"))
    return bridge.parsed_item(
        SLUG,
        found,
        _meaning(found, item),
        raw,
        tokens=[item.get("CustomID")],
        provider_message_id=str(found.message_id or item.get("mj_message_id") or ""),
    )


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any]) -> TranslatedEvent | None:
    word, error = item["event"], str(item.get("error") or "")
    if word == "blocked":
        row = event_words.row_of(__file__, "blocked", error, EventMeaning(Says.UNTRIED, "suppressed"))
    elif word == "bounce":
        row = _bounce(error, is_hard=item.get("hard_bounce") is True)
    else:
        # "sent" is what the receiving server accepted, so anymail has it as delivered.
        return event_words.plain(found, word)
    return event_words.failure(row, item.get("comment"), note=error, provider_code=error)


def _bounce(error: str, *, is_hard: bool) -> EventMeaning:
    if is_hard and not error:
        return PERMANENT
    row = event_words.row_of(__file__, "bounces", error, EventMeaning(Says.FAILED))
    if is_hard:
        # "True if the error was permanent": then greylisting is not tried again either.
        return row._replace(says=Says.SOFT) if row.says is Says.DEFERRED else row
    if row.says is Says.DEFERRED:
        return row
    return row._replace(says=Says.SOFT, reason="unknown" if row.says is Says.DEAD else row.reason)


provider = Provider(
    SLUG,
    "Mailjet",
    Channel.EMAIL,
    partial(proof.has_passwords, SLUG),
    verify,
    parse,
    key=proof.password_in,
    answer=200,
    sign=partial(proof.sign_with_password, SLUG),
)
