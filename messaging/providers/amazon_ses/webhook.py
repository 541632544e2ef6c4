"""Amazon SES by way of SNS, normalised by django-anymail.

Fields: Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS" and "Amazon SNS
notification contents for Amazon SES" (both are read), and "Contents of
notifications for Amazon SES email receiving". How it proves itself: sns.py.
"""

import re
from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof, sns
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail
from messaging.status.order import Kind

SLUG: Final = "amazon_ses"
AMAZON_HOST: Final = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
AMAZON: Final = sns.House(
    certificate=re.compile(rf"https://{AMAZON_HOST.pattern}/SimpleNotificationService-[0-9a-f]+\.pem"),
    confirmation_host=AMAZON_HOST,
)
# What SES publishes, as plain text, when event publishing is set up.
GREETING: Final = "Successfully validated SNS topic"
# What it publishes when notifications are set up: a JSON of its own.
GREETING_TYPE: Final = "AmazonSnsSubscriptionSucceeded"

# The part of an event that is of its own kind, where its name is not the event's.
PARTS: Final = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}
# What SES itself did not send.
UNTRIED: Final = {
    "Reject": EventMeaning(Says.UNTRIED, "virus_suspected"),
    "Rendering Failure": EventMeaning(Says.UNTRIED, "content_rejected"),
}
# Events whose own time is Amazon's; that of a bounce or complaint is the other side's clock, so SNS's time is taken.
TIMED_BY_AMAZON: Final = frozenset({"Delivery", "DeliveryDelay", "Open", "Click", "Subscription"})
# "Complaint types": what a feedback loop tells that is no complaint by the person.
NO_COMPLAINTS: Final = frozenset({"not-spam", "auth-failure"})
ON_A_LIST: Final = "OnAccountSuppressionList"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless it is a message that Amazon signed, of a topic in AMAZON_SES_WEBHOOK_KEYS."""
    sns.verify(request, SLUG, AMAZON)


@cache
def _view() -> Any:
    # Not before it is needed: it brings boto3 along, 7 MB. anymail's own start wants that, for nothing that we use.
    from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView  # noqa: PLC0415

    return object.__new__(AmazonSESTrackingWebhookView)


def parse(raw: Raw) -> ParsedReport:
    """The event in one SNS message; none where it is about the subscription. Raises UnreadableError."""
    envelope = bridge.object_in(raw.body, "Type")
    if envelope["Type"] != sns.NOTIFICATION or str(envelope.get("Message")).startswith(GREETING):
        return ParsedReport()
    report = bridge.object_in(envelope.get("Message") or "")
    if report.get("notificationType") == GREETING_TYPE:
        return ParsedReport()
    if "mail" not in report:
        raise UnreadableError("No mail: not a report of this provider.")
    if report.get("notificationType") == "Received":
        if "content" not in report:
            raise UnreadableError("The mail itself is not in it: it needs the receipt rule's action SNS, not S3.")
        return inbound.parse_mails([report], _mail, raw)
    return bridge.parse_each([report], lambda item: _parse_item(item, envelope, raw))


def _mail(report: dict[str, Any]) -> Mail:
    receipt = report["receipt"]
    is_base64 = receipt["action"].get("encoding") == "BASE64"
    arrived_at = bridge.moment_of(report["mail"].get("timestamp"))
    return Mail(
        inbound.whole(report["content"], is_base64=is_base64), tuple(receipt.get("recipients") or ()), arrived_at
    )


def _parse_item(item: dict[str, Any], envelope: dict[str, Any], raw: Raw) -> ParsedItem | None:
    word = item.get("eventType") or item["notificationType"]
    mail, part = item["mail"], item.get(PARTS.get(word, str(word).lower())) or {}
    found = _about_our_recipient(_view().esp_to_anymail_events(item, envelope), mail)
    return bridge.parsed_item(
        SLUG,
        found,
        _meaning(word, part, found),
        raw,
        tokens=[*(mail.get("tags") or {}).get(bridge.OUR_METADATA, []), *_message_ids(mail)],
        idempotency_key=part.get("feedbackId"),
        occurred_at=bridge.moment_of(part.get("timestamp")) if word in TIMED_BY_AMAZON else None,
    )


def _about_our_recipient(found: list[AnymailTrackingEvent], mail: dict[str, Any]) -> AnymailTrackingEvent:
    """A message of ours has one recipient; a bounce may name others, to whom it was passed on."""
    ours = {str(each).lower() for each in mail.get("destination") or []}
    return next((each for each in found if str(each.recipient).lower() in ours), found[0])


def _message_ids(mail: dict[str, Any]) -> list[object]:
    headers = mail.get("headers") or []
    named = [each.get("value") for each in headers if str(each.get("name")).lower() == "message-id"]
    return [*named, (mail.get("commonHeaders") or {}).get("messageId")]


def _meaning(word: str, part: dict[str, Any], found: AnymailTrackingEvent) -> TranslatedEvent | None:
    if word in UNTRIED:
        note = part.get("reason") or part.get("errorMessage")
        return event_words.failure(UNTRIED[word], "", note=note, provider_code=word)
    if word == "Bounce":
        return _bounce(part, str(found.recipient))
    return MEANINGS[word](part) if word in MEANINGS else event_words.plain(found, word)


def _bounce(part: dict[str, Any], recipient: str) -> TranslatedEvent | None:
    code = f"{part.get('bounceType')}/{part.get('bounceSubType')}"
    by_type = event_words.table_of(__file__, "bounces").get(str(part.get("bounceType")), EventMeaning(Says.FAILED))
    row = event_words.row_of(__file__, "bounces", code, by_type)
    bounced = next(each for each in part["bouncedRecipients"] if each.get("emailAddress") == recipient)
    return event_words.failure(
        row, bounced.get("diagnosticCode"), status_code=bounced.get("status"), provider_code=code
    )


def _delay(part: dict[str, Any]) -> TranslatedEvent | None:
    delay_type = str(part.get("delayType") or "")
    row = event_words.row_of(__file__, "delays", delay_type, EventMeaning(Says.DEFERRED))
    delayed = (part.get("delayedRecipients") or [{}])[0]
    return event_words.failure(
        row, delayed.get("diagnosticCode"), status_code=delayed.get("status"), provider_code=delay_type
    )


def _complaint(part: dict[str, Any]) -> TranslatedEvent | None:
    if part.get("complaintSubType") == ON_A_LIST:
        return event_words.failure(EventMeaning(Says.UNTRIED, "suppressed"), "", provider_code=f"Complaint/{ON_A_LIST}")
    return None if part.get("complaintFeedbackType") in NO_COMPLAINTS else event_words.meaning_of(Kind.COMPLAINED)


def _subscription(part: dict[str, Any]) -> TranslatedEvent | None:
    """The person changed what they want at the foot of an email (SES's subscription management)."""
    is_out = (part.get("newTopicPreferences") or {}).get("unsubscribeAll") is True
    was_out = (part.get("oldTopicPreferences") or {}).get("unsubscribeAll") is True
    if is_out == was_out:
        return None
    return event_words.meaning_of(Kind.UNSUBSCRIBED if is_out else Kind.SUBSCRIBED)


MEANINGS: Final = {"DeliveryDelay": _delay, "Complaint": _complaint, "Subscription": _subscription}
provider = Provider(
    SLUG, "Amazon SES", Channel.EMAIL, partial(proof.has_keys, SLUG), verify, parse, answer=200, key=proof.topic_in
)
