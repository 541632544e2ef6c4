"""Scaleway Transactional Email by way of Scaleway Topics and Events, which speaks like Amazon SNS.

Fields: Scaleway's documentation, "Understanding Webhook event payloads"; signature: "Verifying webhook signatures".
django-anymail sends through Scaleway but reads no webhook of it, so the event is put into anymail's form here.
"""

import re
from functools import partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, proof, sns
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.status.order import Kind

SLUG: Final = "scaleway"

# "Webhook event type".
KINDS: Final = {"email_queued": Kind.ACCEPTED, "email_delivered": Kind.DELIVERED}
FAILURES: Final = {
    "email_deferred": EventMeaning(Says.DEFERRED),
    "email_dropped": EventMeaning(Says.FAILED),
    "email_mailbox_not_found": EventMeaning(Says.DEAD, "user_unknown"),
    "email_spam": EventMeaning(Says.SOFT, "spam_suspected"),
    "email_blocklisted": EventMeaning(Says.UNTRIED, "suppressed"),
}
NO_MESSAGE_EVENTS: Final = frozenset({"blocklist_created", "unknown_type"})


def _authority_of(topic: str) -> str:
    """Where the certificates of the authority stand that issues those of the topic's region."""
    region = topic.split(":")[3] if topic.startswith("arn:scw:sns:") else ""
    if not re.fullmatch(r"[a-z]{2}-[a-z]{3}", region):
        raise ValueError("not a topic of Scaleway's")
    return f"https://messaging.s3.fr-par.scw.cloud/{region}/sns/sns-trust-chain.pem"


HOUSE: Final = sns.House(
    certificate=re.compile(
        r"https://messaging\.s3\.[a-z]{2}-[a-z]{3}\.scw\.cloud/[a-z]{2}-[a-z]{3}/sns/[\w.-]+\.pem", re.ASCII
    ),
    confirmation_host=re.compile(r"sns\.mnq\.[a-z]{2}-[a-z]{3}\.scaleway\.com"),
    authority_of=_authority_of,
)


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless it is a message that Scaleway signed, of a topic in SCALEWAY_WEBHOOK_KEYS."""
    sns.verify(request, SLUG, HOUSE)


def parse(raw: Raw) -> ParsedReport:
    """The event in one message of the topic; none where it is about no message of ours. Raises UnreadableError."""
    envelope = bridge.object_in(raw.body, "Type")
    if envelope["Type"] != sns.NOTIFICATION:
        return ParsedReport()
    item = bridge.object_in(envelope.get("Message") or "", "type")
    items = [] if item["type"] in NO_MESSAGE_EVENTS else [item]
    return bridge.parse_each(items, lambda each: _parse_item(each, raw))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    headers = {str(each.get("key")).lower(): each.get("value") for each in item.get("email_headers") or []}
    found = AnymailTrackingEvent(
        event_type=item["type"],
        timestamp=bridge.moment_of(item.get("created_at")),
        event_id=item.get("id"),
        message_id=item.get("email_id"),
        recipient=item.get("email_to"),
        metadata=bridge.object_of(headers.get("x-metadata")),
        esp_event=item,
    )
    return bridge.parsed_item(SLUG, found, _meaning(item), raw, tokens=[headers.get("message-id")])


def _meaning(item: dict[str, Any]) -> TranslatedEvent | None:
    word = item["type"]
    if word in KINDS:
        return event_words.meaning_of(KINDS[word])
    if word not in FAILURES:
        raise ValueError(f"unknown kind of event {word!r}")
    return event_words.failure(
        FAILURES[word],
        item.get("email_response_message") or item.get("email_error"),
        note=item.get("blocklist_reason"),
        reply_code=item.get("email_response_code"),
        provider_code=word,
    )


provider = Provider(
    SLUG, "Scaleway", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, answer=200, key=proof.topic_in
)
