"""Amazon's SMS (AWS End User Messaging) by way of SNS.

Events: AWS End User Messaging SMS User Guide, "Event types" and "Event format" of configuration sets. How it proves
itself, and how a subscription is confirmed: sns.py.
"""

from functools import partial
from typing import Final

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof, sns
from messaging.providers.amazon_ses.webhook import AMAZON
from messaging.providers.base import ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.parsing import message_named, object_of, since_1970, text_of, within
from messaging.providers.replies import parse_reply
from messaging.providers.tables import CodeMeaning, events_of, tables
from messaging.status.order import Event, Kind

SLUG: Final = "amazon_sms"
# Our key in the Context of SendTextMessage, which every event echoes.
OUR_CONTEXT: Final = "engage"
# "Event types": of MMS and calls, which Engage does not make.
NOT_TEXTS: Final = ("MEDIA_", "VOICE_")
# "Accepted by the carrier", after which nothing more may come.
HANDED_ON: Final = "TEXT_SUCCESSFUL"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless it is a message that Amazon signed, of a topic in AMAZON_SMS_WEBHOOK_KEYS."""
    sns.verify(request, SLUG, AMAZON)


def parse(raw: Raw) -> ParsedReport:
    """The event in one SNS message; none where it is about the subscription. Raises UnreadableError."""
    envelope = object_of(raw.body)
    if not isinstance(envelope.get("Type"), str):
        raise UnreadableError("No Type: not a message of SNS.")
    if envelope["Type"] != sns.NOTIFICATION:
        return ParsedReport()
    report = object_of(text_of(envelope.get("Message")).encode())
    if report.get("inboundMessageId"):
        # "Example of a two-way SMS message payload": an SMS that somebody sent us.
        sender, text = text_of(report.get("originationNumber")), text_of(report.get("messageBody"))
        return parse_reply(SLUG, sender, text, raw.received_at)
    kind, message = text_of(report.get("eventType")), text_of(report.get("messageId"))
    if kind.startswith(NOT_TEXTS):
        return ParsedReport()
    outcome = tables(SLUG)["events"].get(kind)
    if outcome is None or not message:
        raise UnreadableError(f"No messageId, or unknown eventType {kind!r}.")
    is_final = report.get("isFinal") is True
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=since_1970(report.get("eventTimestamp"), raw),
        idempotency_key=f"{message} {kind} {is_final}",
        message_id=message_named(within(report, "context", OUR_CONTEXT)),
        provider_message_id=message,
        provider_code=kind,
        diagnostic=text_of(report.get("messageStatusDescription")),
        said_by=text_of(report.get("carrierName")) or text_of(report.get("destinationPhoneNumber")),
    )
    if kind == HANDED_ON and is_final:
        outcome = CodeMeaning(Kind.UNTRACEABLE)
    return ParsedReport(events_of(outcome, event))


provider = Provider(
    SLUG, "Amazon SMS", Channel.SMS, partial(proof.has_keys, SLUG), verify, parse, answer=200, key=proof.topic_in
)
