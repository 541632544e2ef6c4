"""Mailchimp Transactional's (Mandrill's) signed webhooks, normalised by django-anymail.

Fields: Mailchimp Transactional documentation, "Webhooks", and Mandrill's help, "Message Event Webhook Format"
and "Inbound Email Processing"; signature: "Authenticating webhook requests" (HMAC-SHA1 over the URL and the sorted
POST fields, X-Mandrill-Signature).
"""

import hmac
from base64 import b64encode
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import parse_qs

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.mandrill import MandrillCombinedWebhookView
from django.conf import settings
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ForgedError, ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.providers.parsing import json_of, moment_since_1970
from messaging.status.order import Kind

SLUG: Final = "mandrill"
FORM: Final = "application/x-www-form-urlencoded"

# By the bounce's description, as in the page's samples; what is not here leaves it to the words.
HARD_BOUNCES: Final = {
    "general": EventMeaning(Says.DEAD, "permanent"),
    "bad_mailbox": EventMeaning(Says.DEAD, "user_unknown"),
    "invalid_domain": EventMeaning(Says.DEAD, "domain_unknown"),
}
SOFT_BOUNCES: Final = {"general": EventMeaning(Says.SOFT), "mailbox_full": EventMeaning(Says.SOFT, "mailbox_full")}
# Changes of Mandrill's own lists.
NO_MESSAGE_EVENTS: Final = frozenset({"whitelist", "blacklist", "allowlist", "denylist", "sync"})


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless a key in MANDRILL_WEBHOOK_KEYS signed the request for PUBLIC_URL. No time is signed."""
    if request.content_type != FORM:
        raise ForgedError("Not a form.")
    url = settings.PUBLIC_URL + request.get_full_path()
    proof.check_signature(SLUG, lambda key: _view(key, url).validate_request(request))


@lru_cache(maxsize=16)  # the URL is the request's
def _view(key: str, url: str) -> Any:
    return bridge.view_of(MandrillCombinedWebhookView, webhook_key=key, webhook_url=url)


def sign(url: str) -> Probe:
    made = hmac.digest(proof.keys_of(SLUG)[0].encode(), url.encode(), "sha1")
    return Probe(url, {"X-Mandrill-Signature": b64encode(made).decode(), "Content-Type": FORM})


def parse(raw: Raw) -> ParsedReport:
    """The events of one posted batch. Raises UnreadableError."""
    try:
        form = parse_qs(raw.body.decode("utf-8", "replace"), max_num_fields=100)
    except ValueError as error:
        raise UnreadableError(f"Not a form: {error}") from error
    items = json_of(form.get("mandrill_events", [""])[0])
    if not isinstance(items, list):
        raise UnreadableError("Not a list of events.")
    parsed = ParsedReport()
    for number, item in enumerate(items, 1):
        if _is_mail(item):
            parsed.add(inbound.parse_mails([item], _mail, raw, number))
        else:
            parsed.add(bridge.parse_each([item], lambda item: _parse_item(item, raw), number))
    return parsed


def _is_mail(item: Any) -> bool:
    return isinstance(item, dict) and item.get("event") == "inbound"


def _mail(item: dict[str, Any]) -> Mail:
    at = moment_since_1970(item.get("ts"))
    return Mail(inbound.whole(item["msg"]["raw_msg"]), (item["msg"].get("email"),), at)


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    word = item.get("event") or item["type"]
    if word in NO_MESSAGE_EVENTS:
        return None
    found: AnymailTrackingEvent = _view("", "").mandrill_tracking_to_anymail_event(bridge.in_seconds(item, "ts"))
    client = item.get("user_agent_parsed") or {}
    return bridge.parsed_item(
        SLUG,
        found,
        _meaning(found, item, word),
        raw,
        # "The type of user agent (browser, email client, robot …)".
        is_automatic=str(client.get("type", "")).lower() == "robot",
    )


def _meaning(found: AnymailTrackingEvent, item: dict[str, Any], word: str) -> TranslatedEvent | None:
    if word == "delivered":  # newer than anymail's list
        return event_words.meaning_of(Kind.DELIVERED)
    row = _row(word, str(item["msg"].get("bounce_description") or ""))
    if row is None:
        return event_words.plain(found, word)
    tries = item["msg"].get("smtp_events") or [{}]
    code = str(item["msg"].get("bounce_description") or word)
    return event_words.failure(row, found.mta_response or tries[-1].get("diag"), provider_code=code)


def _row(word: str, description: str) -> EventMeaning | None:
    if word == "hard_bounce":
        return event_words.row_in(HARD_BOUNCES, "hard_bounce", description, EventMeaning(Says.FAILED))
    if word == "soft_bounce":
        # Final: Mandrill has given up.
        return event_words.row_in(SOFT_BOUNCES, "soft_bounce", description, EventMeaning(Says.SOFT))
    return {"deferral": EventMeaning(Says.DEFERRED), "reject": EventMeaning(Says.UNTRIED, "suppressed")}.get(word)


provider = Provider(
    SLUG,
    "Mailchimp Transactional",
    Channel.EMAIL,
    partial(proof.has_keys, SLUG),
    verify,
    parse,
    probe="HEAD",
    answer=200,
    sign=sign,
)
